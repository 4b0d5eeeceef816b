"""Store blobs by digest in the cache's directory: an OCI image layout with an empty index (image spec 1.1).

Beside `blobs/` are

- `tmp/`, unfinished files, swept when nobody else uses the cache;
- `corrupt/`, blobs that did not match their name, kept for inspection until space is reclaimed;
- `roots/`, the locks that were served: what stays when space is reclaimed;
- `records/`, what is remembered of blobs: the signed bundles that they came in;
- `lock`, held, shared, by all who use the cache.

A blob that has its name is never written again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from agent_sync.errors import BlobCorrupt, BytesUnavailable, DigestMismatch, FileSystemError
from agent_sync.ports import BlobStore, BlobWriter, Directory, Kind, NewFile
from agent_sync.ports.files import sweep
from agent_sync.store.directory import CacheDirectory, rename_durably, staging_path, writing
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import BLOBS_DIRECTORY, Digest, blob_path

CHUNK_BYTES = 1 << 18

CORRUPT = RelPath("corrupt")

_BLOBS = RelPath(BLOBS_DIRECTORY)
_MAX_OPEN = 32  # a lock of a thousand sources must not run into the usual limit of 1,024 open files


class DiskBlobs:
    """A `BlobStore` (ports) in the cache's directory. Any thread may use it."""

    def __init__(self, directory: CacheDirectory) -> None:
        self._directory = directory
        self._wrote: set[Digest] = set()

    @property
    def name(self) -> str:
        return self._directory.name

    def total_bytes(self) -> int:
        return sum(self.size(digest) or 0 for digest in self._names())

    def size(self, digest: Digest) -> int | None:
        directory = self._directory.readable()
        stat = None if directory is None else directory.stat(_path(digest))
        return stat.size if stat is not None and stat.kind is Kind.FILE else None

    def open(self, digest: Digest) -> BinaryIO:
        directory = self._directory.readable()
        if directory is None or self.size(digest) is None:
            raise not_cached(digest)
        return directory.open(_path(digest))

    def wrote(self, digest: Digest) -> bool:
        return digest in self._wrote

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        directory = self._directory.writable()
        staged = staging_path()
        with writing(directory):
            file = directory.open_new(staged)
        try:
            yield _DiskWriter(
                directory, file, lambda digest, size: self._finalize(directory, staged, file, digest, size)
            )
        finally:
            with suppress(FileSystemError):  # what cannot be removed now is swept later
                file.close()
                directory.remove(staged)

    def set_aside(self, digest: Digest) -> None:
        if self.size(digest) is None or hash_blob(digest, self) != digest:
            self._wrote.discard(digest)
            self._move_aside(digest)  # otherwise another process has put a whole one there meanwhile

    def close(self) -> None:
        self._directory.release()

    def digests(self) -> tuple[Digest, ...]:
        """Return the digest of every blob, sorted. What else is in the directory is passed over."""
        return tuple(digest for digest in self._names() if self.size(digest) is not None)

    def remove(self, digest: Digest) -> None:
        """Remove the blob. Only for the process that holds the cache alone."""
        self._directory.writable().remove(_path(digest))

    def _names(self) -> Iterator[Digest]:
        directory = self._directory.readable()
        for name in () if directory is None else directory.names(_BLOBS):
            with suppress(ValueError):
                yield Digest.from_hex(name)

    def _finalize(self, directory: Directory, staged: RelPath, file: NewFile, digest: Digest, size: int) -> None:
        """Give the staged file its name, unless a blob of that name and length is there: that one stays as it is."""
        if self.size(digest) == size:
            return
        file.flush()  # else a power cut could leave the name with other bytes
        file.close()
        path = _path(digest)
        stat = directory.stat(path)
        if stat is not None and stat.kind is Kind.DIRECTORY:
            sweep(path, directory=directory)
        # Anything else at this path is replaced in this one step: moved away first, it would be missing for a moment,
        # and by now it may be the same blob, which another process has written and is reading.
        rename_durably(directory, staged, path)
        self._wrote.add(digest)

    def _move_aside(self, digest: Digest) -> None:
        """Take the blob's name from whatever has it. A file is kept in `corrupt/`; a link or fifo was never ours."""
        directory = self._directory.readable()
        path = _path(digest)
        if directory is None or (stat := directory.stat(path)) is None:
            return
        with writing(directory):
            if stat.kind is not Kind.FILE:
                sweep(path, directory=directory)
                return
            directory.make_directory(CORRUPT)
            try:
                directory.rename(path, join(CORRUPT, RelPath(digest.hex)))
            except FileSystemError:
                if directory.stat(path) is not None:  # else another process was quicker
                    raise


class _DiskWriter:
    """A `BlobWriter` that hashes what it writes."""

    def __init__(self, directory: Directory, file: NewFile, finalize: Callable[[Digest, int], None]) -> None:
        self._directory = directory
        self._file = file
        self._finalize = finalize
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes, /) -> object:
        self._sha256.update(chunk)
        self._size += len(chunk)
        with writing(self._directory):
            return self._file.write(chunk)

    def commit(self, expected: Digest | None = None) -> Digest:
        digest = Digest.from_hex(self._sha256.hexdigest())
        if expected is not None and digest != expected:
            raise DigestMismatch(
                subject=f"blob {expected}",
                check=f"the sha256 of its bytes is {digest.hex}",
                remedy="if it should have changed: agent-sync update",
            )
        with writing(self._directory):
            self._finalize(digest, self._size)
        return digest


class OpenBlobs:
    """Blobs kept open once read, the oldest closed when there are many. Any thread may read."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._files: dict[Digest, BinaryIO] = {}
        self._reading = threading.Lock()

    def read(self, digest: Digest, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only where the blob ends.

        Raises:
            BytesUnavailable: the blob is not in the cache.
            FileSystemError: the system could not read it.
        """
        with self._reading:
            file = self._files.get(digest) or self._open(digest)
            file.seek(offset)
            return file.read(size)

    def forget(self, digest: Digest) -> None:
        """Close the blob; the next read opens what then has its name."""
        with self._reading:
            if (file := self._files.pop(digest, None)) is not None:
                file.close()

    def close(self) -> None:
        """Close every blob; the next read opens it again."""
        with self._reading:
            while self._files:
                self._files.popitem()[1].close()

    def _open(self, digest: Digest) -> BinaryIO:
        if len(self._files) >= _MAX_OPEN:
            self._files.pop(next(iter(self._files))).close()
        file = self._files[digest] = self._store.open(digest)
        return file


def read_blob(digest: Digest, store: BlobStore) -> bytes:
    """Return the blob's verified bytes; for what is known to be small.

    Raises: BlobCorrupt, BytesUnavailable, FileSystemError.
    """
    with store.open(digest) as file:
        content = file.read()
    if Digest.of(content) != digest:
        raise corrupt_error(digest, f"the sha256 of its bytes is {Digest.of(content).hex}")
    return content


def hash_blob(digest: Digest, store: BlobStore) -> Digest:
    """Return the digest that the bytes of the blob called `digest` really have.

    Raises: BytesUnavailable, FileSystemError.
    """
    actual = hashlib.sha256()
    with store.open(digest) as file:
        while chunk := file.read(CHUNK_BYTES):
            actual.update(chunk)
    return Digest.from_hex(actual.hexdigest())


def corrupt_error(digest: Digest, check: str) -> BlobCorrupt:
    """Return the error for a blob whose bytes have changed."""
    return BlobCorrupt(
        digest=digest,
        subject=f"blob {digest} in the cache",
        check=check,
        remedy="agent-sync cache verify sets it aside; it is then fetched again when it is needed",
    )


def not_cached(digest: Digest) -> BytesUnavailable:
    """Return the error for a blob that is not in the cache."""
    return BytesUnavailable(
        subject=f"blob {digest}",
        check="is not in the cache",
        remedy="run the command without --offline, so that it can be fetched",
    )


def _path(digest: Digest) -> RelPath:
    return RelPath(blob_path(digest))
