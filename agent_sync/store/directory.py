"""The cache's directory: its lock, shared by all who use it, its staging area, its roots and records.

A root is a lock that was served, by path and by the digest of its text; the text itself is a blob like any other, so
a hundred checkouts of one lock keep it once. A record is what is remembered of a blob, by kind and key."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple, Protocol

from agent_sync.errors import FileSystemError, ProjectBusy, UnsafePath
from agent_sync.ports import BlobStore, Clock, Directory, Kind
from agent_sync.ports.files import sweep
from agent_sync.tree import RelPath, join, parent
from agent_sync_oci.digest import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest

STAGING = RelPath("tmp")

_LOCK = RelPath("lock")
_WAIT_S = 60.0  # for another process that is reclaiming space


class OpenDirectory(Protocol):
    """Opens the directory at an absolute path; None if it is missing and `make` is false."""

    def __call__(self, path: str, *, make: bool) -> Directory | None: ...


class CacheDirectory:
    """The directory of one cache, which many processes share. Any thread may use it.

    The lock is taken, shared, when the directory is first asked for, and kept until `release`.
    """

    def __init__(self, locate: Callable[[], str], open_directory: OpenDirectory) -> None:
        """`locate` returns the absolute path. It is called on first use; the directory is made on first writing."""
        self._locate = locate
        self._open_directory = open_directory
        self._directory: Directory | None = None
        self._held: AbstractContextManager[None] | None = None
        self._changing = threading.RLock()

    @property
    def name(self) -> str:
        """The absolute path."""
        return self._locate()

    def writable(self) -> Directory:
        """Return the directory, made and laid out as an OCI image layout with an empty index.

        Raises: FileSystemError, UnsafePath; ProjectBusy if another process reclaims space for longer than a minute.
        """
        with self._changing:
            directory = self._opened(make=True)
            assert directory is not None  # it was made
            if self._held is None:
                with writing(directory):
                    self._hold(directory)
        if directory.stat(RelPath(LAYOUT_FILE)) is None:
            with writing(directory):
                directory.make_directory(RelPath(BLOBS_DIRECTORY))
                write_atomically(directory, RelPath(INDEX_FILE), EMPTY_INDEX)
                write_atomically(directory, RelPath(LAYOUT_FILE), LAYOUT_CONTENT)
        return directory

    def readable(self) -> Directory | None:
        """Return the directory for reading; None if there is none yet.

        Raises: FileSystemError, UnsafePath; ProjectBusy if another process reclaims space for longer than a minute.
        """
        with self._changing:
            directory = self._opened(make=False)
            if directory is not None and self._held is None:
                # A directory that cannot be written cannot be reclaimed through either: reading it needs no lock.
                with suppress(FileSystemError):
                    self._hold(directory)
            return directory

    @contextmanager
    def scratch(self) -> Iterator[Directory]:
        """Yield an empty directory that only this user can enter; remove it, with all it holds, at the end.

        Raises: FileSystemError, UnsafePath, ProjectBusy.
        """
        directory = self.writable()
        path = staging_path()
        with writing(directory):
            directory.make_directory(path)
            scratch = directory.below(path)
        try:
            yield scratch
        finally:
            with suppress(FileSystemError, UnsafePath):  # what cannot be removed now is swept later
                sweep(path, directory=directory)

    @contextmanager
    def exclusive(self, *, wait_s: float) -> Iterator[Directory]:
        """Hold the lock alone, so that no other process uses the cache meanwhile.

        Raises: ProjectBusy if another process still uses the cache after `wait_s` seconds.
        """
        directory = self.writable()
        with self._changing:
            self._release_lock()
            self._held = _acquire(directory, shared=False, wait_s=wait_s)
        try:
            yield directory
        finally:
            self.release()

    def release(self) -> None:
        """Release the lock, so that others may reclaim space; the next use takes the lock again."""
        with self._changing:
            self._release_lock()
            self._directory = None

    def _opened(self, *, make: bool) -> Directory | None:
        if self._directory is None:
            with error_context("the cache", "cannot be used"):
                self._directory = self._open_directory(self._locate(), make=make)
        return self._directory

    def _hold(self, directory: Directory) -> None:
        if directory.names(STAGING):
            _sweep_if_unused(directory)
        self._held = _acquire(directory, shared=True, wait_s=_WAIT_S)

    def _release_lock(self) -> None:
        if self._held is not None:
            self._held.__exit__(None, None, None)
            self._held = None


def staging_path() -> RelPath:
    """Return a path in `tmp/` that nothing has.

    Random, because process ids repeat: two containers that share a cache both call their first process 1.
    """
    return join(STAGING, RelPath(os.urandom(12).hex()))


def write_atomically(directory: Directory, path: RelPath, content: bytes) -> None:
    """Make `path` a file with this content: whatever happens meanwhile, all of it is there, or what was there before.

    Raises: FileSystemError, UnsafePath.
    """
    directory.make_directory(parent(path))
    staged = staging_path()
    file = directory.open_new(staged)
    try:
        file.write(content)
        file.flush()
    finally:
        file.close()
    rename_durably(directory, staged, path)


def rename_durably(directory: Directory, staged: RelPath, path: RelPath) -> None:
    """Move a flushed file to its name, and wait until the name is on the disk: a power cut loses neither."""
    directory.rename(staged, path)
    directory.fsync_directory(parent(path))


def sweep_staging(directory: Directory) -> None:
    """Empty `tmp/`. Only for the process that holds the cache alone."""
    for name in directory.names(STAGING):
        sweep(join(STAGING, RelPath(name)), directory=directory)


def writing(directory: Directory) -> AbstractContextManager[None]:
    """Report an error within as one of writing the cache."""
    return error_context(f"the cache {directory.name}", "cannot be written")


@contextmanager
def error_context(cache: str, check: str) -> Iterator[None]:
    """Report an error within as one of the cache, with the remedy that the cache can be somewhere else."""
    try:
        yield
    except (FileSystemError, UnsafePath) as error:
        raise error.restated(
            subject=cache,
            check=f"{check}: {error.subject}: {error.check}",
            remedy=f"{error.remedy or 'look there'}; or set AGENT_SYNC_CACHE to another directory",
        ) from error


def _sweep_if_unused(directory: Directory) -> None:
    """Remove what a killed process has left in `tmp/`, unless others are at work: then the files may be theirs."""
    with suppress(ProjectBusy, FileSystemError), directory.lock(_LOCK):
        sweep_staging(directory)


def _acquire(directory: Directory, *, shared: bool, wait_s: float) -> AbstractContextManager[None]:
    lock = directory.lock(_LOCK, shared=shared, wait_s=wait_s)
    try:
        lock.__enter__()
    except ProjectBusy as error:
        raise ProjectBusy(
            subject=f"the cache {directory.name}",
            check="another process is reclaiming its space" if shared else "another process uses it",
            remedy="try again when that process has ended",
        ) from error
    return lock


BUNDLES = "bundles"
"""Bundles that were pulled or signed here. The first half of their keys is the sha256 of the lock file."""
CACHED_ARTIFACTS = "carriers"
"""Artifacts in registries that were found to hold a blob. The first half of their keys is the blob's sha256."""
SIGNERS = "signers"
"""Who signed a bundle the last time. Their keys are the sha256 of the bundle's name."""

_ROOTS = RelPath("roots")
_MAX_ROOT_BYTES = 64 * 1024
_DAY_S = 86_400
_DIGEST = re.compile(rb"[0-9a-f]{64}")

_RECORDS = RelPath("records")
_MAX_RECORD_BYTES = 4 << 20
_KIND = re.compile(r"[a-z]{1,32}")
_KEY = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})?")


class Root(NamedTuple):
    """A lock that was served: its absolute path, the digest of its text, and when it was, in seconds since 1970."""

    path: str
    lock: Digest
    seen_s: float


class DiskRoots:
    """`LockRoots` (ports) in the cache's directory: what must stay when space is reclaimed."""

    def __init__(self, directory: CacheDirectory, blobs: BlobStore, clock: Clock) -> None:
        self._directory = directory
        self._blobs = blobs
        self._clock = clock

    def remember(self, lock: bytes, *, path: str) -> None:
        """See the port. A cache that cannot be written is no error: at worst, blobs are reclaimed and fetched again."""
        root = Root(path, Digest.of(lock), self._clock.now_s())
        with suppress(FileSystemError, UnsafePath, ProjectBusy):
            if self._blobs.size(root.lock) is None:
                with self._blobs.writer() as writer:
                    writer.write(lock)
                    writer.commit()
            _write_root(self._directory.writable(), root)

    def all(self) -> tuple[Root, ...]:
        """Return every root, sorted by path; a file that is not one is passed over."""
        directory = self._directory.readable()
        if directory is None:
            return ()
        found = (_read_root(directory, join(_ROOTS, RelPath(name))) for name in directory.names(_ROOTS))
        return tuple(sorted((root for root in found if root is not None), key=lambda root: root.path))

    def forget(self, root: Root) -> None:
        """Remove the root: its lock keeps nothing any more."""
        self._directory.writable().remove(_root_path(root.path))


class DiskRecords:
    """A `RecordStore` (ports) in the cache's directory."""

    def __init__(self, directory: CacheDirectory) -> None:
        self._directory = directory

    def record(self, kind: str, key: str, content: bytes) -> None:
        assert _KIND.fullmatch(kind), kind
        assert _KEY.fullmatch(key), key
        directory = self._directory.writable()
        with writing(directory):
            write_atomically(directory, _record_path(kind, key), content)

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        directory = self._directory.readable()
        return () if directory is None else tuple(_read_records(directory, kind, prefix))

    def forget(self, kind: str, key: str) -> None:
        """Remove the record, if there is one."""
        self._directory.writable().remove(_record_path(kind, key))


def digests_in(text: bytes) -> frozenset[Digest]:
    """Return every digest that the text of a lock or a record mentions, of blobs and of files.

    Reading it as a lock would keep less, but would lose what a newer version's lock needs.
    """
    return frozenset(Digest.from_hex(found.decode()) for found in _DIGEST.findall(text))


def _write_root(directory: Directory, root: Root) -> None:
    path = _root_path(root.path)
    before = _read_root(directory, path)
    # Once a day is enough to keep a lock's blobs for 90: a sync with nothing to do should write nothing.
    if before is None or before.lock != root.lock or not 0 <= root.seen_s - before.seen_s < _DAY_S:
        text = json.dumps({"lock": root.lock, "path": root.path, "seen_s": int(root.seen_s)}, indent=2)
        write_atomically(directory, path, text.encode() + b"\n")


def _read_root(directory: Directory, path: RelPath) -> Root | None:
    try:
        if directory.stat(path) is None:
            return None
        with directory.open(path) as file:
            document = json.loads(file.read(_MAX_ROOT_BYTES))
        match document:
            case {"lock": str(lock), "path": str(at), "seen_s": int(seen_s)}:
                return Root(at, Digest.parse(lock), seen_s)
            case _:
                return None
    except (FileSystemError, UnsafePath, ValueError, RecursionError):
        return None


def _root_path(path: str) -> RelPath:
    return join(_ROOTS, RelPath(hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"))


def _read_records(directory: Directory, kind: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yield key and content, sorted by key; what is no record is passed over."""
    for name in directory.names(join(_RECORDS, RelPath(kind))):
        if name.startswith(prefix) and _KEY.fullmatch(name):
            with suppress(FileSystemError, UnsafePath):
                stat = directory.stat(_record_path(kind, name))
                if stat is not None and stat.kind is Kind.FILE and stat.size <= _MAX_RECORD_BYTES:
                    with directory.open(_record_path(kind, name)) as file:
                        yield name, file.read(_MAX_RECORD_BYTES)


def _record_path(kind: str, key: str) -> RelPath:
    return join(join(_RECORDS, RelPath(kind)), RelPath(key))
