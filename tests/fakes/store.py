"""The cache in memory, which notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from typing import BinaryIO

from agent_sync.errors import BytesUnavailable, DigestMismatch
from agent_sync.ports import Directory
from agent_sync_oci.digest import Digest

Scratch = Callable[[], AbstractContextManager[Directory]]


class MemoryStore:
    """Implements the four ports of the cache. `blobs` may be changed by a test, to break one."""

    def __init__(self, scratch: Scratch | None = None) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.opened: list[Digest] = []
        self.written: set[Digest] = set()
        self.aside: dict[Digest, bytes] = {}
        self.remembered: dict[str, bytes] = {}
        self.recorded: dict[tuple[str, str], bytes] = {}
        self._scratch = scratch

    @property
    def name(self) -> str:
        return "a store in memory"

    def total_bytes(self) -> int:
        return sum(map(len, self.blobs.values()))

    def size(self, digest: Digest) -> int | None:
        return len(self.blobs[digest]) if digest in self.blobs else None

    def open(self, digest: Digest) -> BinaryIO:
        if digest not in self.blobs:
            raise BytesUnavailable(subject=f"blob {digest}", check="is not in the cache")
        self.opened.append(digest)
        return BytesIO(self.blobs[digest])

    def wrote(self, digest: Digest) -> bool:
        return digest in self.written

    @contextmanager
    def writer(self) -> Iterator[MemoryWriter]:
        yield MemoryWriter(self.blobs, self.written)

    def close(self) -> None:
        """Nothing is held."""

    def set_aside(self, digest: Digest) -> None:
        if digest in self.blobs and Digest.of(self.blobs[digest]) != digest:
            self.aside[digest] = self.blobs.pop(digest)
            self.written.discard(digest)

    def scratch(self) -> AbstractContextManager[Directory]:
        assert self._scratch is not None, "this test's store was made without a scratch directory"
        return self._scratch()

    def remember(self, lock: bytes, *, path: str) -> None:
        self.remembered[path] = lock

    def record(self, kind: str, key: str, content: bytes) -> None:
        self.recorded[kind, key] = content

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        found = (
            (key, content) for (of, key), content in self.recorded.items() if of == kind and key.startswith(prefix)
        )
        return tuple(sorted(found))

    def put(self, content: bytes) -> Digest:
        """The blob is here."""
        digest = Digest.of(content)
        self.blobs[digest] = content
        return digest


class MemoryWriter:
    """Implements `ports.BlobWriter`."""

    def __init__(self, blobs: dict[Digest, bytes], written: set[Digest]) -> None:
        self._blobs = blobs
        self._written = written
        self._content = bytearray()

    def write(self, chunk: bytes, /) -> object:
        self._content += chunk
        return None

    def commit(self, expected: Digest | None = None) -> Digest:
        digest = Digest.of(bytes(self._content))
        if expected is not None and digest != expected:
            raise DigestMismatch(subject=f"blob {expected}", check=f"the sha256 of its bytes is {digest.hex}")
        if digest not in self._blobs:
            self._blobs[digest] = bytes(self._content)
            self._written.add(digest)
        return digest
