"""Read files by digest out of the cache's canonical tars and loose blobs; every byte is verified on its way out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from agent_sync.errors import AgentSyncError, BytesUnavailable, LockInvalid
from agent_sync.lock.model import LockedSource
from agent_sync.ports import BlobStore
from agent_sync.sources.content import Content, PackedTree, SingleFile
from agent_sync.sources.table import REMEDY
from agent_sync.store.blobs import CHUNK_BYTES, OpenBlobs, corrupt_error, hash_blob, not_cached
from agent_sync.tree import Sha256, Tree
from agent_sync.tree.tarball import TarWalk, header_length, match_header, padding
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

_WINDOW_BYTES = 1 << 16

ReadAt = Callable[[int, int], bytes]
"""Returns `size` bytes from an offset on; fewer only where the tar ends."""


class Span(NamedTuple):
    """A piece of a blob, in bytes."""

    offset: int
    size: int


class TarMismatch(Exception):
    """A tar is not the canonical one of the tree; the text says where."""


class Contents:
    """The files of locked trees, by the digest of their bytes. Any thread may read; blobs stay open until `close`.

    Nothing is opened before the first file of it is asked for; then its headers are compared with the tree, once.

    Raises, from every method that looks into a blob:
        BlobCorrupt: the blob's bytes have changed.
        LockInvalid: the blob is whole, but holds other files than its tree says.
        BytesUnavailable: the blob is not in the cache, or no tree here has this file.
        FileSystemError: the system could not read it.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._blobs = OpenBlobs(store)
        self._containers: dict[Sha256, _Container] = {}

    def add_tree(self, packed: PackedTree) -> None:
        """Add the files of `packed`; a tree without a blob (another implementation's lock) has none."""
        if packed.blob is not None:
            container = _Container(packed.blob, packed)
            for entry in packed.files.values():
                self._containers.setdefault(entry.sha256, container)

    def add_blob(self, digest: Digest) -> None:
        """Add the file that is this whole blob."""
        self._containers.setdefault(Sha256(digest.hex), _Container(digest))

    def add_source(self, source: LockedSource, *, found: Content | None = None) -> None:
        """Make the source's files before any transform readable.

        `found` is what was supplied of it, which has a blob where a foreign lock has none.
        """
        content = source.pin.content if found is None or found.blob is None else found
        if isinstance(content, SingleFile):
            self.add_blob(content.blob)
        else:
            self.add_tree(content)

    def __contains__(self, sha256: object) -> bool:
        """Return whether a tree or blob that was added has this file; its bytes are not read."""
        return sha256 in self._containers

    def size(self, sha256: Sha256) -> int:
        """Return the length of the file in bytes."""
        return self._find(sha256)[1].size

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:
        """Yield the file's bytes in pieces of at most 256 KiB, the last one only after all have been verified."""
        container, span = self._find(sha256)
        if span.size > CHUNK_BYTES:
            return self._pieces(container, span, sha256)
        return iter((self._whole(container, span, sha256),))

    def peek(self, sha256: Sha256) -> Iterator[bytes]:
        """Yield the bytes after all have been verified, so that a caller who needs only the first can leave the rest.

        What this process has stored itself is not hashed again.
        """
        container, span = self._find(sha256)
        if not self._store.wrote(container.blob):
            if span.size <= CHUNK_BYTES:
                return self.chunks(sha256)
            for _ in self._pieces(container, span, sha256):
                pass
        return (
            self._blobs.read(container.blob, span.offset + start, min(span.size - start, CHUNK_BYTES))
            for start in range(0, span.size, CHUNK_BYTES)
        )

    def _pieces(self, container: _Container, span: Span, sha256: Sha256) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for start in range(0, span.size, CHUNK_BYTES):
            wanted = min(span.size - start, CHUNK_BYTES)
            chunk = self._blobs.read(container.blob, span.offset + start, wanted)
            digest.update(chunk)
            if len(chunk) < wanted or (start + wanted == span.size and digest.hexdigest() != sha256):
                raise self._wrong_file(container, sha256, digest.hexdigest())
            yield chunk

    def _whole(self, container: _Container, span: Span, sha256: Sha256) -> bytes:
        content = self._blobs.read(container.blob, span.offset, span.size)
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise self._wrong_file(container, sha256, actual)
        return content

    def close(self) -> None:
        """Close every blob; reading opens it again."""
        self._blobs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, sha256: Sha256) -> tuple[_Container, Span]:
        container = self._containers.get(sha256)
        if container is None:
            raise BytesUnavailable(subject=f"file with sha256 {sha256}", check="is in no tree of the lock")
        if container.spans is None:  # read outside the lock: every file but the first of a blob takes this way
            with container.finding:
                if container.spans is None:
                    container.spans = self._spans_of(container)
        return container, container.spans[sha256]

    def _spans_of(self, container: _Container) -> dict[Sha256, Span]:
        size = self._store.size(container.blob)
        if size is None:
            raise not_cached(container.blob)
        packed = container.packed
        if packed is None:
            return {Sha256(container.blob.hex): Span(0, size)}
        if packed.size is not None and packed.size != size:
            raise self._mismatch(container, f"the length is {size} bytes, the lock says {packed.size}")
        try:
            return dict(find_spans(packed.files, partial(self._blobs.read, container.blob)))
        except TarMismatch as error:
            raise self._mismatch(container, str(error)) from error

    def _wrong_file(self, container: _Container, sha256: Sha256, actual: str) -> AgentSyncError:
        if container.packed is None:
            return self._mismatch(container, "the bytes do not match the name")
        path = next(path for path, entry in container.packed.files.items() if entry.sha256 == sha256)
        return self._mismatch(container, f"file {quoted(path)} in it has the sha256 {actual}, the lock says {sha256}")

    def _mismatch(self, container: _Container, check: str) -> AgentSyncError:
        self._blobs.forget(container.blob)  # a whole copy may take its place, and must then be opened anew
        return mismatch_error(container.blob, self._store, check)


@dataclass(slots=True, eq=False)
class _Container:
    """A blob that holds files: the tar of `packed`, or one loose file."""

    blob: Digest
    packed: PackedTree | None = None
    spans: dict[Sha256, Span] | None = None
    finding: threading.Lock = field(default_factory=threading.Lock)


def find_spans(tree: Tree, read: ReadAt) -> Iterator[tuple[Sha256, Span]]:
    """Yield the digest of each file of `tree` and where its content is in the tar, in the order of the paths.

    Such a tar needs no parser: every header follows from the tree and the length that the header itself tells, so each
    header is made again and compared byte by byte. The contents between headers are not read.

    Raises: TarMismatch if a header or the end is not what the tree demands.
    """
    read = _Window(read).read
    walk = TarWalk()
    offset = 0
    for path, entry in tree.items():
        before, _ = walk.enter(path)
        name = path.encode()
        header = read(offset, len(before) + header_length(name))
        size = match_header(header, before, name, executable=entry.executable)
        if size is None:
            at = offset + (len(before) if header.startswith(before) else 0)
            raise TarMismatch(f"the header at byte {at} is not that of {quoted(path)}")
        offset += len(header)
        yield entry.sha256, Span(offset, size)
        offset += size + len(padding(size))
    end, _ = walk.finish()
    if read(offset, len(end) + 1) != end:
        raise TarMismatch(f"the tar does not end at byte {offset}")


class _Window:
    """A tar read ahead: where files are small, reading each header by itself would cost more."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._offset = 0
        self._bytes = b""

    def read(self, offset: int, size: int) -> bytes:
        """Read like `ReadAt`, at offsets that only grow."""
        start = offset - self._offset
        if start + size > len(self._bytes):
            self._offset, self._bytes, start = offset, self._read(offset, max(size, _WINDOW_BYTES)), 0
        return self._bytes[start : start + size]


def mismatch_error(digest: Digest, store: BlobStore, check: str) -> AgentSyncError:
    """Return the error for a blob that is not what the lock says of it.

    BlobCorrupt if its bytes have changed; LockInvalid if they have the digest: then another copy of the blob would be
    no better, and setting this one aside would only lose it.
    """
    actual = hash_blob(digest, store)
    if actual != digest:
        return corrupt_error(digest, f"{check} (its sha256 is {actual.hex})")
    return LockInvalid(
        subject=f"the tree of blob {digest}",
        check=f"the lock's list of files and the blob disagree: {check}",
        remedy=REMEDY,
    )
