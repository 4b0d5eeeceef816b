"""The store's folder and its lock: shared by all who use the store, exclusive for who reclaims its space."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from agent_sync.errors import FileFault, ProjectBusy, UnsafePath
from agent_sync.ports import Folder
from agent_sync.store.staging import STAGING, sweep_staging
from agent_sync.tree import RelPath

_LOCK = RelPath("lock")
_WAIT_S = 60.0  # for another process that is reclaiming space


class OpenFolder(Protocol):
    """Opens the folder at an absolute path; None if it is missing and is not to be made."""

    def __call__(self, path: str, *, make: bool) -> Folder | None: ...


class Holding:
    """Takes the lock, shared, when the folder is first asked for, and keeps it until `release`."""

    def __init__(self, locate: Callable[[], str], open_folder: OpenFolder) -> None:
        self.locate = locate
        self._open_folder = open_folder
        self._folder: Folder | None = None
        self._held: AbstractContextManager[None] | None = None
        self._changing = threading.RLock()

    def folder(self) -> Folder:
        """The store's folder, for writing; made if it is missing. ProjectBusy if it is being reclaimed for long."""
        with self._changing:
            folder = self._opened(make=True)
            assert folder is not None  # it was made
            if self._held is None:
                with faults_of(f"the store {folder.name}", "it cannot be written"):
                    self._hold(folder)
            return folder

    def folder_if_any(self) -> Folder | None:
        """The store's folder, if it is there, for reading. ProjectBusy if it is being reclaimed for long."""
        with self._changing:
            folder = self._opened(make=False)
            if folder is not None and self._held is None:
                # A folder that cannot be written cannot be reclaimed through either: reading it needs no lock.
                with suppress(FileFault):
                    self._hold(folder)
            return folder

    @contextmanager
    def exclusive(self, *, wait_s: float) -> Iterator[None]:
        """No other process uses the store meanwhile. ProjectBusy if one still does after `wait_s` seconds."""
        folder = self.folder()
        with self._changing:
            self._let_go()
            self._held = _locked(folder, shared=False, wait_s=wait_s)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """The lock is not held; the next use takes it again."""
        with self._changing:
            self._let_go()
            self._folder = None

    def _opened(self, *, make: bool) -> Folder | None:
        if self._folder is None:
            with faults_of("the store", "it cannot be used"):
                self._folder = self._open_folder(self.locate(), make=make)
        return self._folder

    def _hold(self, folder: Folder) -> None:
        if folder.names(STAGING):
            _sweep_if_alone(folder)
        self._held = _locked(folder, shared=True, wait_s=_WAIT_S)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.__exit__(None, None, None)
            self._held = None


@contextmanager
def faults_of(store: str, check: str) -> Iterator[None]:
    """A fault in here says that it is the store's, and that the store can lie somewhere else."""
    try:
        yield
    except (FileFault, UnsafePath) as error:
        raise error.restated(
            subject=store,
            check=f"{check}: {error.subject}: {error.check}",
            remedy=f"{error.remedy or 'look there'}; or name another place for the store: AGENT_SYNC_CACHE",
        ) from error


def _sweep_if_alone(folder: Folder) -> None:
    """What a killed process has left in `tmp/` is removed, unless others are at work: then it may be theirs."""
    with suppress(ProjectBusy, FileFault), folder.lock(_LOCK):
        sweep_staging(folder)


def _locked(folder: Folder, *, shared: bool, wait_s: float) -> AbstractContextManager[None]:
    lock = folder.lock(_LOCK, shared=shared, wait_s=wait_s)
    try:
        lock.__enter__()
    except ProjectBusy as error:
        raise ProjectBusy(
            subject=f"the store {folder.name}",
            check="another process is reclaiming its space" if shared else "another process uses it",
            remedy="try again when that process has ended",
        ) from error
    return lock
