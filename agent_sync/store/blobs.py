"""Store blobs by digest in a directory: an OCI image layout with an empty index (image spec 1.1, image-layout.md).

Beside it are

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
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from agent_sync.errors import BlobCorrupt, BytesUnavailable, DigestMismatch, FileSystemError, ProjectBusy, UnsafePath
from agent_sync.ports import BlobStore, BlobWriter, Clock, Directory, Kind, NewFile
from agent_sync.ports.files import sweep
from agent_sync.store.directory import (
    CacheDirectory,
    OpenDirectory,
    error_context,
    staging_path,
    sweep_staging,
    write_atomically,
)
from agent_sync.store.records import Root, read_records, read_roots, remove_record, root_path, write_record, write_root
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest
from agent_sync_oci.image_spec import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, blob_path

# -- Reading pieces of blobs from several threads, and saying whose fault it is when they are not what they should be.

CHUNK_BYTES = 1 << 18

_MAX_OPEN = 32  # a lock of a thousand sources must not run into the usual limit of 1,024 open files


class OpenBlobs:
    """Blobs of a store, kept open once read, the oldest closed when there are many. Any thread may read."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._files: dict[Digest, BinaryIO] = {}
        self._reading = threading.Lock()

    def read(self, digest: Digest, offset: int, size: int) -> bytes:
        """The bytes at `offset`, `size` of them; fewer only where the blob ends.

        Raises:
            BytesUnavailable: the blob is not here.
            FileSystemError: the system could not read it.
        """
        with self._reading:
            file = self._files.get(digest) or self._open(digest)
            file.seek(offset)
            return file.read(size)

    def forget(self, digest: Digest) -> None:
        """The blob is not open; the next read opens what then has its name."""
        with self._reading:
            if (file := self._files.pop(digest, None)) is not None:
                file.close()

    def close(self) -> None:
        """No file is open; the next read opens it again."""
        with self._reading:
            while self._files:
                self._files.popitem()[1].close()

    def _open(self, digest: Digest) -> BinaryIO:
        if len(self._files) >= _MAX_OPEN:
            self._files.pop(next(iter(self._files))).close()
        file = self._files[digest] = self._store.open(digest)
        return file


def read_blob(digest: Digest, store: BlobStore) -> bytes:
    """The blob's bytes, verified; for what is known to be small. BlobCorrupt, BytesUnavailable, FileSystemError."""
    with store.open(digest) as file:
        content = file.read()
    if Digest.of(content) != digest:
        raise corrupt_error(digest, f"its bytes have the sha256 {Digest.of(content).hex}")
    return content


def hash_blob(digest: Digest, store: BlobStore) -> Digest:
    """What the bytes of the blob called `digest` really hash to. BytesUnavailable, FileSystemError as
    `BlobStore.open`.
    """
    actual = hashlib.sha256()
    with store.open(digest) as file:
        while chunk := file.read(CHUNK_BYTES):
            actual.update(chunk)
    return Digest.from_hex(actual.hexdigest())


def corrupt_error(digest: Digest, check: str) -> BlobCorrupt:
    """The error for a blob whose bytes have changed."""
    return BlobCorrupt(
        digest=digest,
        subject=f"blob {digest} of the store",
        check=check,
        remedy="agent-sync cache verify sets it aside; it is then fetched again when it is needed",
    )


# -- The blob store in a directory: an OCI image layout with an empty index (image spec 1.1, image-layout.md), and
# beside it - `tmp/`, what is not finished: swept when nobody else uses the store; - `corrupt/`, blobs that were not
# what their name said: kept for a look until space is reclaimed; - `roots/`, the locks that were served: what stays
# when space is reclaimed; - `records/`, what is remembered of blobs: the signed bundles that they came in; - `lock`,
# held, shared, by all who use the store. A blob that has its name is never written again.

_BLOBS = RelPath(BLOBS_DIRECTORY)
_CORRUPT = RelPath("corrupt")


class DiskStore:
    """A `BlobStore` (ports) that many processes share. Any thread may use it."""

    def __init__(self, locate: Callable[[], str], open_directory: OpenDirectory, clock: Clock) -> None:
        """`locate` says where the store lies. It is asked on first use, and the directory is made on first writing."""
        self._holding = CacheDirectory(locate, open_directory)
        self._clock = clock
        self._wrote: set[Digest] = set()

    @property
    def name(self) -> str:
        return self._holding.locate()

    def total_bytes(self) -> int:
        return sum(self.size(digest) or 0 for digest in self._names())

    def size(self, digest: Digest) -> int | None:
        directory = self._holding.directory_if_any()
        stat = None if directory is None else directory.stat(_blob_path(digest))
        return stat.size if stat is not None and stat.kind is Kind.FILE else None

    def open(self, digest: Digest) -> BinaryIO:
        directory = self._holding.directory_if_any()
        if directory is None or self.size(digest) is None:
            raise BytesUnavailable(
                subject=f"blob {digest}",
                check="it is not in the store",
                remedy="run the command without --offline, so that it can be fetched",
            )
        return directory.open(_blob_path(digest))

    def wrote(self, digest: Digest) -> bool:
        return digest in self._wrote

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        directory = self._writable()
        staged = staging_path()
        with _cannot_write(directory):
            file = directory.open_new(staged)
        try:
            yield _DiskWriter(directory, file, lambda digest, size: self._settle(staged, file, digest, size))
        finally:
            with suppress(FileSystemError):  # what cannot be removed now is swept later
                file.close()
                directory.remove(staged)

    def set_aside(self, digest: Digest) -> None:
        if self.size(digest) is None or hash_blob(digest, self) != digest:
            self._wrote.discard(digest)
            self._move_aside(digest)  # otherwise another process has put a whole one there meanwhile

    @contextmanager
    def scratch(self) -> Iterator[Directory]:
        directory = self._writable()
        path = staging_path()
        with _cannot_write(directory):
            directory.make_directory(path)
        try:
            yield directory.below(path)
        finally:
            with suppress(FileSystemError, UnsafePath):  # what cannot be removed now is swept later
                sweep(path, directory=directory)

    def remember(self, lock: bytes, *, path: str) -> None:
        """It does not fail if the store cannot be written: at the worst, blobs are reclaimed and fetched again."""
        seen = Root(path, Digest.of(lock), self._clock.now_s())
        with suppress(FileSystemError, UnsafePath, ProjectBusy):
            if self.size(seen.lock) is None:
                with self.writer() as writer:
                    writer.write(lock)
                    writer.commit()
            write_root(self._writable(), seen)

    def record(self, kind: str, key: str, content: bytes) -> None:
        directory = self._writable()
        with _cannot_write(directory):
            write_record(directory, kind, key, content)

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        directory = self._holding.directory_if_any()
        return () if directory is None else tuple(read_records(directory, kind, prefix))

    # -- for the verbs that look after the store

    def drop_record(self, kind: str, key: str) -> None:
        """There is no such record."""
        remove_record(self._holding.directory(), kind, key)

    def digests(self) -> tuple[Digest, ...]:
        """Every blob, sorted. What else lies there is not looked at."""
        return tuple(digest for digest in self._names() if self.size(digest) is not None)

    def roots(self) -> tuple[Root, ...]:
        """Every lock that was served, sorted by path."""
        directory = self._holding.directory_if_any()
        return () if directory is None else read_roots(directory)

    def forget(self, root: Root) -> None:
        """That lock keeps nothing any more."""
        self._holding.directory().remove(root_path(root.path))

    def remove(self, digest: Digest) -> None:
        """The blob is gone. Only for who holds the store exclusively."""
        self._holding.directory().remove(_blob_path(digest))

    def clear(self) -> None:
        """`tmp/` and `corrupt/` are empty. Only for who holds the store exclusively."""
        directory = self._holding.directory()
        for name in directory.names(_CORRUPT):
            sweep(join(_CORRUPT, RelPath(name)), directory=directory)
        sweep_staging(directory)

    def exclusive(self, *, wait_s: float) -> AbstractContextManager[None]:
        """No other process uses the store meanwhile. ProjectBusy if one still does after `wait_s` seconds."""
        return self._holding.exclusive(wait_s=wait_s)

    def close(self) -> None:
        """Others may reclaim space again. The store can still be used."""
        self._holding.release()

    # -- how

    def _names(self) -> Iterator[Digest]:
        directory = self._holding.directory_if_any()
        for name in () if directory is None else directory.names(_BLOBS):
            with suppress(ValueError):
                yield Digest.from_hex(name)

    def _writable(self) -> Directory:
        """The directory, laid out."""
        directory = self._holding.directory()
        if directory.stat(RelPath(LAYOUT_FILE)) is None:
            with _cannot_write(directory):
                directory.make_directory(_BLOBS)
                write_atomically(directory, RelPath(INDEX_FILE), EMPTY_INDEX)
                write_atomically(directory, RelPath(LAYOUT_FILE), LAYOUT_CONTENT)
        return directory

    def _settle(self, staged: RelPath, file: NewFile, digest: Digest, size: int) -> None:
        """What was staged has its name, unless a blob of that name and length is there: that one stays as it is."""
        if self.size(digest) == size:
            return
        file.flush()  # else a power cut could leave the name with other bytes
        file.close()
        directory = self._holding.directory()
        place = _blob_path(digest)
        stat = directory.stat(place)
        if stat is not None and stat.kind is Kind.DIRECTORY:
            sweep(place, directory=directory)
        # Whatever else stands there is replaced in this one step: moved away first, it would be missing for a moment,
        # and by now it may be the same blob, which another process has written and is reading.
        directory.rename(staged, place)
        self._wrote.add(digest)

    def _move_aside(self, digest: Digest) -> None:
        """Nothing has that blob's name. A file is kept in `corrupt/`; a link, a fifo, a directory was never ours."""
        directory = self._holding.directory_if_any()
        place = _blob_path(digest)
        if directory is None or (stat := directory.stat(place)) is None:
            return
        with _cannot_write(directory):
            if stat.kind is not Kind.FILE:
                sweep(place, directory=directory)
                return
            directory.make_directory(_CORRUPT)
            try:
                directory.rename(place, join(_CORRUPT, RelPath(digest.hex)))
            except FileSystemError:
                if directory.stat(place) is not None:  # else another process was quicker
                    raise


class _DiskWriter:
    """Hashes what it writes."""

    def __init__(self, directory: Directory, file: NewFile, settle: Callable[[Digest, int], None]) -> None:
        self._directory = directory
        self._file = file
        self._settle = settle
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes, /) -> object:
        self._sha256.update(chunk)
        self._size += len(chunk)
        with _cannot_write(self._directory):
            return self._file.write(chunk)

    def commit(self, expected: Digest | None = None) -> Digest:
        digest = Digest.from_hex(self._sha256.hexdigest())
        if expected is not None and digest != expected:
            raise DigestMismatch(
                subject=f"blob {expected}",
                check=f"its bytes have the sha256 {digest.hex}",
                remedy="if it should have changed: agent-sync update",
            )
        with _cannot_write(self._directory):
            self._settle(digest, self._size)
        return digest


def _cannot_write(directory: Directory) -> AbstractContextManager[None]:
    return error_context(f"the store {directory.name}", "it cannot be written")


def _blob_path(digest: Digest) -> RelPath:
    return RelPath(blob_path(digest))
