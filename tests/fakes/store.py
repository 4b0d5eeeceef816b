"""A blob store in memory, which notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from typing import BinaryIO

from agent_sync.errors import BytesUnavailable, ContentMismatch
from agent_sync.ports import Folder
from agent_sync_oci.digest import Digest

Scratch = Callable[[], AbstractContextManager[Folder]]


class MemoryStore:
    """Implements `ports.BlobStore`. `blobs` may be changed by a test, to break one."""

    def __init__(self, scratch: Scratch | None = None) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.opened: list[Digest] = []
        self.aside: dict[Digest, bytes] = {}
        self.remembered: dict[str, bytes] = {}
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
            raise BytesUnavailable(subject=f"blob {digest}", check="it is not in the store")
        self.opened.append(digest)
        return BytesIO(self.blobs[digest])

    @contextmanager
    def writer(self) -> Iterator[MemoryWriter]:
        yield MemoryWriter(self.blobs)

    def close(self) -> None:
        """Nothing is held."""

    def set_aside(self, digest: Digest) -> None:
        if digest in self.blobs and Digest.of(self.blobs[digest]) != digest:
            self.aside[digest] = self.blobs.pop(digest)

    def scratch(self) -> AbstractContextManager[Folder]:
        assert self._scratch is not None, "this test's store was made without a scratch folder"
        return self._scratch()

    def remember(self, lock: bytes, *, path: str) -> None:
        self.remembered[path] = lock

    def put(self, content: bytes) -> Digest:
        """The blob is here."""
        digest = Digest.of(content)
        self.blobs[digest] = content
        return digest


class MemoryWriter:
    """Implements `ports.BlobWriter`."""

    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self._blobs = blobs
        self._content = bytearray()

    def write(self, chunk: bytes, /) -> object:
        self._content += chunk
        return None

    def commit(self, expected: Digest | None = None) -> Digest:
        digest = Digest.of(bytes(self._content))
        if expected is not None and digest != expected:
            raise ContentMismatch(subject=f"blob {expected}", check=f"its bytes have the sha256 {digest.hex}")
        self._blobs.setdefault(digest, bytes(self._content))
        return digest
