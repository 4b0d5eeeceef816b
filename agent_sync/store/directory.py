"""The cache's directory: its lock, shared by all who use the cache, and `tmp/`, where unfinished files are staged."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from agent_sync.errors import FileSystemError, ProjectBusy, UnsafePath
from agent_sync.ports import Directory
from agent_sync.ports.files import sweep
from agent_sync.tree import RelPath, join, parent
from agent_sync_oci.digest import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE

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
