"""The blob store in a folder: an OCI image layout with an empty index (image spec 1.1, image-layout.md), and beside it

- `tmp/`, what is not finished: swept when nobody else uses the store;
- `corrupt/`, blobs that were not what their name said: kept for a look until space is reclaimed;
- `roots/`, the locks that were served: what stays when space is reclaimed;
- `records/`, what is remembered of blobs: the signed bundles that they came in;
- `lock`, held, shared, by all who use the store.

A blob that has its name is never written again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from agent_sync.errors import BytesUnavailable, ContentMismatch, FileFault, ProjectBusy, UnsafePath
from agent_sync.ports import BlobWriter, Clock, Folder, Kind, NewFile
from agent_sync.ports.sweeping import sweep
from agent_sync.store.blobs import true_digest
from agent_sync.store.holding import Holding, OpenFolder, faults_of
from agent_sync.store.records import read_records, remove_record, write_record
from agent_sync.store.roots import Root, read_roots, root_path, write_root
from agent_sync.store.staging import new_name, put, sweep_staging
from agent_sync.tree import RelPath, join
from agent_sync_oci.digest import Digest
from agent_sync_oci.layout import BLOBS_FOLDER, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, blob_path

_BLOBS = RelPath(BLOBS_FOLDER)
_CORRUPT = RelPath("corrupt")


class DiskStore:
    """A `BlobStore` (ports) that many processes share. Any thread may use it."""

    def __init__(self, locate: Callable[[], str], open_folder: OpenFolder, clock: Clock) -> None:
        """`locate` says where the store lies. It is asked on first use, and the folder is made on first writing."""
        self._holding = Holding(locate, open_folder)
        self._clock = clock
        self._wrote: set[Digest] = set()

    @property
    def name(self) -> str:
        return self._holding.locate()

    def total_bytes(self) -> int:
        return sum(self.size(digest) or 0 for digest in self._names())

    def size(self, digest: Digest) -> int | None:
        folder = self._holding.folder_if_any()
        stat = None if folder is None else folder.stat(_place(digest))
        return stat.size if stat is not None and stat.kind is Kind.FILE else None

    def open(self, digest: Digest) -> BinaryIO:
        folder = self._holding.folder_if_any()
        if folder is None or self.size(digest) is None:
            raise BytesUnavailable(
                subject=f"blob {digest}",
                check="it is not in the store",
                remedy="run the command without --offline, so that it can be fetched",
            )
        return folder.open(_place(digest))

    def wrote(self, digest: Digest) -> bool:
        return digest in self._wrote

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        folder = self._writable()
        staged = new_name()
        with _store_faults(folder):
            file = folder.open_new(staged)
        try:
            yield _DiskWriter(folder, file, lambda digest, size: self._settle(staged, file, digest, size))
        finally:
            with suppress(FileFault):  # what cannot be removed now is swept later
                file.close()
                folder.remove(staged)

    def set_aside(self, digest: Digest) -> None:
        if self.size(digest) is None or true_digest(digest, self) != digest:
            self._wrote.discard(digest)
            self._move_aside(digest)  # otherwise another process has put a whole one there meanwhile

    @contextmanager
    def scratch(self) -> Iterator[Folder]:
        folder = self._writable()
        path = new_name()
        with _store_faults(folder):
            folder.make_folder(path)
        try:
            yield folder.below(path)
        finally:
            with suppress(FileFault, UnsafePath):  # what cannot be removed now is swept later
                sweep(path, folder=folder)

    def remember(self, lock: bytes, *, path: str) -> None:
        """It does not fail if the store cannot be written: at the worst, blobs are reclaimed and fetched again."""
        seen = Root(path, Digest.of(lock), self._clock.now_s())
        with suppress(FileFault, UnsafePath, ProjectBusy):
            if self.size(seen.lock) is None:
                with self.writer() as writer:
                    writer.write(lock)
                    writer.commit()
            write_root(self._writable(), seen)

    def record(self, kind: str, key: str, content: bytes) -> None:
        folder = self._writable()
        with _store_faults(folder):
            write_record(folder, kind, key, content)

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        folder = self._holding.folder_if_any()
        return () if folder is None else tuple(read_records(folder, kind, prefix))

    # -- for the verbs that look after the store

    def drop_record(self, kind: str, key: str) -> None:
        """There is no such record."""
        remove_record(self._holding.folder(), kind, key)

    def digests(self) -> tuple[Digest, ...]:
        """Every blob, sorted. What else lies there is not looked at."""
        return tuple(digest for digest in self._names() if self.size(digest) is not None)

    def roots(self) -> tuple[Root, ...]:
        """Every lock that was served, sorted by path."""
        folder = self._holding.folder_if_any()
        return () if folder is None else read_roots(folder)

    def forget(self, root: Root) -> None:
        """That lock keeps nothing any more."""
        self._holding.folder().remove(root_path(root.path))

    def remove(self, digest: Digest) -> None:
        """The blob is gone. Only for who holds the store exclusively."""
        self._holding.folder().remove(_place(digest))

    def clear(self) -> None:
        """`tmp/` and `corrupt/` are empty. Only for who holds the store exclusively."""
        folder = self._holding.folder()
        for name in folder.names(_CORRUPT):
            sweep(join(_CORRUPT, RelPath(name)), folder=folder)
        sweep_staging(folder)

    def exclusive(self, *, wait_s: float) -> AbstractContextManager[None]:
        """No other process uses the store meanwhile. ProjectBusy if one still does after `wait_s` seconds."""
        return self._holding.exclusive(wait_s=wait_s)

    def close(self) -> None:
        """Others may reclaim space again. The store can still be used."""
        self._holding.release()

    # -- how

    def _names(self) -> Iterator[Digest]:
        folder = self._holding.folder_if_any()
        for name in () if folder is None else folder.names(_BLOBS):
            with suppress(ValueError):
                yield Digest.from_hex(name)

    def _writable(self) -> Folder:
        """The folder, laid out."""
        folder = self._holding.folder()
        if folder.stat(RelPath(LAYOUT_FILE)) is None:
            with _store_faults(folder):
                folder.make_folder(_BLOBS)
                put(folder, RelPath(INDEX_FILE), EMPTY_INDEX)
                put(folder, RelPath(LAYOUT_FILE), LAYOUT_CONTENT)
        return folder

    def _settle(self, staged: RelPath, file: NewFile, digest: Digest, size: int) -> None:
        """What was staged has its name, unless a blob of that name and length is there: that one stays as it is."""
        if self.size(digest) == size:
            return
        file.flush()  # else a power cut could leave the name with other bytes
        file.close()
        folder = self._holding.folder()
        place = _place(digest)
        stat = folder.stat(place)
        if stat is not None and stat.kind is Kind.FOLDER:
            sweep(place, folder=folder)
        # Whatever else stands there is replaced in this one step: moved away first, it would be missing for a moment,
        # and by now it may be the same blob, which another process has written and is reading.
        folder.rename(staged, place)
        self._wrote.add(digest)

    def _move_aside(self, digest: Digest) -> None:
        """Nothing has that blob's name. A file is kept in `corrupt/`; a link, a fifo, a folder was never ours."""
        folder = self._holding.folder_if_any()
        place = _place(digest)
        if folder is None or (stat := folder.stat(place)) is None:
            return
        with _store_faults(folder):
            if stat.kind is not Kind.FILE:
                sweep(place, folder=folder)
                return
            folder.make_folder(_CORRUPT)
            try:
                folder.rename(place, join(_CORRUPT, RelPath(digest.hex)))
            except FileFault:
                if folder.stat(place) is not None:  # else another process was quicker
                    raise


class _DiskWriter:
    """Hashes what it writes."""

    def __init__(self, folder: Folder, file: NewFile, settle: Callable[[Digest, int], None]) -> None:
        self._folder = folder
        self._file = file
        self._settle = settle
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes, /) -> object:
        self._sha256.update(chunk)
        self._size += len(chunk)
        with _store_faults(self._folder):
            return self._file.write(chunk)

    def commit(self, expected: Digest | None = None) -> Digest:
        digest = Digest.from_hex(self._sha256.hexdigest())
        if expected is not None and digest != expected:
            raise ContentMismatch(
                subject=f"blob {expected}",
                check=f"its bytes have the sha256 {digest.hex}",
                remedy="if it should have changed: agent-sync update",
            )
        with _store_faults(self._folder):
            self._settle(digest, self._size)
        return digest


def _store_faults(folder: Folder) -> AbstractContextManager[None]:
    return faults_of(f"the store {folder.name}", "it cannot be written")


def _place(digest: Digest) -> RelPath:
    return RelPath(blob_path(digest))
