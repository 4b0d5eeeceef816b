"""Opens remote repositories, by the `git` command where there is one, otherwise by libgit2."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from agent_sync.adapters.git.address import read_address
from agent_sync.adapters.git.command import GitCommand
from agent_sync.adapters.git.environment import InstalledGit, certificates, find_git, isolated
from agent_sync.adapters.git.library import GitLibrary
from agent_sync.adapters.git.repository import FetchedRepository
from agent_sync.adapters.git.transport import Budget, Transport
from agent_sync.ports import Cancellation, Folder, GitRepository


class RemoteGit:
    """A `GitHost`. Repositories may be opened from several threads at once.

    `scratch` gives a folder that is removed in the end; `root` is where plain relative addresses start (absolute).
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        scratch: Callable[[], AbstractContextManager[Folder]],
        *,
        root: str,
    ) -> None:
        self._environment = environment
        self._scratch = scratch
        self._root = root
        self._looking = threading.Lock()
        self._looked = False
        self._git: InstalledGit | None = None

    @contextmanager
    def open(
        self, repo: str, *, timeout_s: float, max_bytes: int, cancellation: Cancellation
    ) -> Iterator[GitRepository]:
        address = read_address(repo, root=self._root)
        budget = Budget(address, timeout_s, max_bytes, cancellation)
        with self._scratch() as folder:
            git = self._installed_git(folder.name)

            def transport(home: str) -> Transport:
                if git is None:
                    authorities = certificates(self._environment)
                    return GitLibrary(isolated(self._environment), budget, home=home, certificates=authorities)
                return GitCommand(git, budget, home=home)

            yield FetchedRepository(address, folder.name, transport)

    def _installed_git(self, folder: str) -> InstalledGit | None:
        with self._looking:
            if not self._looked:
                self._git = find_git(self._environment, folder)
                self._looked = True
            return self._git
