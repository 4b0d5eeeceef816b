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

# -- The store's `tmp/`: what is not finished lies there, under names that no two processes choose alike.

STAGING = RelPath("tmp")


def staging_path() -> RelPath:
    """A path in `tmp/` that nothing has.

    Random, because process ids repeat: two containers that share a cache both call their first process 1.
    """
    return join(STAGING, RelPath(os.urandom(12).hex()))


def write_atomically(directory: Directory, path: RelPath, content: bytes) -> None:
    """The file at `path` has this content, whatever happens meanwhile: all of it, or what it had before."""
    directory.make_directory(parent(path))
    staged = staging_path()
    directory.create(staged, (content,))
    directory.rename(staged, path)


def sweep_staging(directory: Directory) -> None:
    """Nothing is left in `tmp/`. Only for who holds the store exclusively."""
    for name in directory.names(STAGING):
        sweep(join(STAGING, RelPath(name)), directory=directory)


# -- The store's directory and its lock: shared by all who use the store, exclusive for who reclaims its space.

_LOCK = RelPath("lock")
_WAIT_S = 60.0  # for another process that is reclaiming space


class OpenDirectory(Protocol):
    """Opens the directory at an absolute path; None if it is missing and is not to be made."""

    def __call__(self, path: str, *, make: bool) -> Directory | None: ...


class CacheDirectory:
    """Takes the lock, shared, when the directory is first asked for, and keeps it until `release`."""

    def __init__(self, locate: Callable[[], str], open_directory: OpenDirectory) -> None:
        self.locate = locate
        self._open_directory = open_directory
        self._directory: Directory | None = None
        self._held: AbstractContextManager[None] | None = None
        self._changing = threading.RLock()

    def directory(self) -> Directory:
        """The store's directory, for writing; made if it is missing. ProjectBusy if it is being reclaimed for long."""
        with self._changing:
            directory = self._opened(make=True)
            assert directory is not None  # it was made
            if self._held is None:
                with error_context(f"the store {directory.name}", "it cannot be written"):
                    self._hold(directory)
            return directory

    def directory_if_any(self) -> Directory | None:
        """The store's directory, if it is there, for reading. ProjectBusy if it is being reclaimed for long."""
        with self._changing:
            directory = self._opened(make=False)
            if directory is not None and self._held is None:
                # A directory that cannot be written cannot be reclaimed through either: reading it needs no lock.
                with suppress(FileSystemError):
                    self._hold(directory)
            return directory

    @contextmanager
    def exclusive(self, *, wait_s: float) -> Iterator[None]:
        """No other process uses the store meanwhile. ProjectBusy if one still does after `wait_s` seconds."""
        directory = self.directory()
        with self._changing:
            self._release_lock()
            self._held = _acquire(directory, shared=False, wait_s=wait_s)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """The lock is not held; the next use takes it again."""
        with self._changing:
            self._release_lock()
            self._directory = None

    def _opened(self, *, make: bool) -> Directory | None:
        if self._directory is None:
            with error_context("the store", "it cannot be used"):
                self._directory = self._open_directory(self.locate(), make=make)
        return self._directory

    def _hold(self, directory: Directory) -> None:
        if directory.names(STAGING):
            _sweep_if_unused(directory)
        self._held = _acquire(directory, shared=True, wait_s=_WAIT_S)

    def _release_lock(self) -> None:
        if self._held is not None:
            self._held.__exit__(None, None, None)
            self._held = None


@contextmanager
def error_context(store: str, check: str) -> Iterator[None]:
    """A fault in here says that it is the store's, and that the store can lie somewhere else."""
    try:
        yield
    except (FileSystemError, UnsafePath) as error:
        raise error.restated(
            subject=store,
            check=f"{check}: {error.subject}: {error.check}",
            remedy=f"{error.remedy or 'look there'}; or name another place for the store: AGENT_SYNC_CACHE",
        ) from error


def _sweep_if_unused(directory: Directory) -> None:
    """What a killed process has left in `tmp/` is removed, unless others are at work: then it may be theirs."""
    with suppress(ProjectBusy, FileSystemError), directory.lock(_LOCK):
        sweep_staging(directory)


def _acquire(directory: Directory, *, shared: bool, wait_s: float) -> AbstractContextManager[None]:
    lock = directory.lock(_LOCK, shared=shared, wait_s=wait_s)
    try:
        lock.__enter__()
    except ProjectBusy as error:
        raise ProjectBusy(
            subject=f"the store {directory.name}",
            check="another process is reclaiming its space" if shared else "another process uses it",
            remedy="try again when that process has ended",
        ) from error
    return lock
