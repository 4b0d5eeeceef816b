"""Open remote repositories, by the `git` command where there is one, otherwise by libgit2."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from agent_sync.adapters.git.environment import GitAddress, InstalledGit, certificates, find_git, isolated, read_address
from agent_sync.adapters.git.objects import ListedObjects, ObjectDatabase, Objects
from agent_sync.adapters.git.transport import Budget, GitCommand, GitLibrary, Transport, make_repository, read_refs
from agent_sync.errors import ConfigInvalid, NetworkError
from agent_sync.ports import Cancellation, GitCommit, GitEntry, GitRepository, Scratch, SignedObject
from agent_sync_oci.text import quoted

_LIBGIT2 = "agent_sync.adapters.git.libgit2"
_LONG_TRANSFER_S = 0.5
_ID = re.compile("[0-9a-f]{40}")


class FetchedRepository:
    """A `GitRepository`. Its objects are in bare repositories below `directory`, which its owner removes."""

    def __init__(self, address: GitAddress, directory: str, transport: Callable[[str], Transport]) -> None:
        self._address = address
        self._directory = directory
        self._home = make_repository(f"{directory}/fetched.git")
        self._transport = transport(self._home)
        # Kept here and not by `cached_property`: before Python 3.12 that has one lock for all instances, and a slow
        # remote would hold it while it lists its refs.
        self._refs: Mapping[str, str] | None = None
        self._fetched: Objects | None = None
        self._all_commits: Objects | None = None

    def advertised(self) -> Mapping[str, str]:
        if self._refs is None:
            self._refs = read_refs(self._address, self._transport.list_refs())
        return self._refs

    def expand(self, short: str) -> str | None:
        # All branches and tags, even if one points to such a commit: an id can be made to begin like any seven digits.
        found = self._history().commits_beginning_with(short.lower())
        if len(found) > 1:
            raise ConfigInvalid(
                subject=str(self._address),
                check=f"abbreviated commit id {short} matches {len(found)} commits: {', '.join(found[:5])}",
                remedy="write the whole commit id under `ref:`",
                part=("ref",),
            )
        return found[0] if found else None

    def fetch(self, oids: Sequence[str], *, without_blobs: bool) -> None:
        self._refuse_other_than_ids(oids)
        with _loading_libgit2():
            self._transport.fetch(self._home, oids, self.advertised, without_blobs=without_blobs)
        self._objects.refresh()
        for oid in oids:
            if oid not in self._objects:
                raise NetworkError(
                    subject=str(self._address),
                    check=f"the remote does not have, or does not give out, object {oid}",
                    remedy="choose another ref, or the address of a server that has it",
                )

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        self._refuse_other_than_ids(oids)
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._objects]
        if missing:
            self._transport.fetch_blobs(self._home, missing)
            self._objects.refresh()

    def commit(self, oid: str) -> GitCommit:
        return self._objects.commit(oid)

    def entries(self, tree: str, *, into: Callable[[bytes], bool] = lambda _: True) -> Iterator[GitEntry]:
        return self._objects.entries(tree, into=into)

    def blob_size(self, oid: str) -> int:
        return self._objects.blob_size(oid)

    def blob(self, oid: str) -> bytes | memoryview:
        return self._objects.blob(oid)

    def signed(self, oid: str) -> SignedObject:
        return self._objects.signed(oid)

    def _refuse_other_than_ids(self, oids: Sequence[str]) -> None:
        """Refuse what is no id: ids may come from a lock written by hand, and git takes more than ids."""
        for oid in oids:
            if _ID.fullmatch(oid) is None:
                check = f"{quoted(oid)} is no object id"
                raise NetworkError(subject=str(self._address), check=check, remedy="write forty hexadecimal digits")

    @property
    def _objects(self) -> Objects:
        if self._fetched is None:
            self._fetched = self._objects_in(self._home)
        return self._fetched

    def _history(self) -> Objects:
        """Return all commits of branches and tags; apart, because git assumes that it has what such commits need."""
        if self._all_commits is None:
            directory = make_repository(f"{self._directory}/history.git")
            self._transport.fetch_history(directory, self.advertised)
            self._all_commits = self._objects_in(directory)
        return self._all_commits

    def _objects_in(self, repository: str) -> Objects:
        return Objects(lambda: self._open(repository), subject=str(self._address))

    def _open(self, repository: str) -> ObjectDatabase:
        listing = self._transport.list_objects(repository)
        with suppress(ValueError):  # no listing: libgit2 decides what there is
            if listing is not None:
                return ListedObjects(listing)
        from agent_sync.adapters.git.libgit2 import Libgit2Objects

        return Libgit2Objects(repository)


@contextmanager
def _loading_libgit2() -> Iterator[None]:
    """Load libgit2 while a transfer lasts, if it lasts long: what comes is large then, and there is time."""
    ended = threading.Event()

    def load() -> None:
        if not ended.wait(_LONG_TRANSFER_S):
            importlib.import_module(_LIBGIT2)

    threading.Thread(target=load, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class RemoteGit:
    """A `GitHost`. Repositories may be opened from several threads at once.

    `scratch` makes a directory that is removed in the end; plain relative addresses start at `root` (absolute).
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        scratch: Scratch,
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
        with self._scratch() as directory:
            git = self._installed_git(directory.name)

            def transport(home: str) -> Transport:
                if git is None:
                    authorities = certificates(self._environment)
                    return GitLibrary(isolated(self._environment), budget, home=home, certificates=authorities)
                return GitCommand(git, budget, home=home)

            yield FetchedRepository(address, directory.name, transport)

    def _installed_git(self, directory: str) -> InstalledGit | None:
        with self._looking:
            if not self._looked:
                self._git = find_git(self._environment, directory)
                self._looked = True
            return self._git
