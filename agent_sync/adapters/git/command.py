"""Transport by the `git` command: protocol 2, shallow, and without blobs where only a few are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agent_sync.adapters.git.environment import InstalledGit
from agent_sync.adapters.git.faults import NO_SUCH_WANT, transfer_failed
from agent_sync.adapters.git.program import Ended, run
from agent_sync.adapters.git.transport import Budget, Tips, branches_and_tags

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--recurse-submodules=no")
_NO_SUCH_FILTER = re.compile(r"filter.* not (?:recognized|supported|allowed)", re.IGNORECASE)


class GitCommand:
    """The remote at `budget.address`, spoken to by the installed git; no process per object, and never a checkout."""

    def __init__(self, git: InstalledGit, budget: Budget, *, home: str) -> None:
        self._git = git
        self._budget = budget
        self._home = home

    def list_refs(self) -> bytes:
        ended = self._run(self._home, ("ls-remote", "--quiet", "origin"))
        if ended.exit_code:
            raise transfer_failed(self._budget.address, ended.complaint)
        return ended.output

    def fetch(self, repository: str, oids: Sequence[str], tips: Tips, *, without_blobs: bool) -> None:
        filters = ("blob:none", None) if without_blobs else (None,)
        ended = self._fetch(repository, oids, filters, "--depth=1")
        if ended.exit_code and NO_SUCH_WANT.search(ended.complaint):
            # This server gives out the tips of its refs only; what is wanted is one of them or lies behind one.
            advertised = set(tips().values())
            ended = self._fetch(
                repository, (*branches_and_tags(tips()), *(oid for oid in oids if oid in advertised)), filters
            )
        self._refuse_failure(repository, ended)

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        # What git itself does when it misses a blob of a partial clone, but for all of them at once.
        self._refuse_failure(repository, self._fetch(repository, oids, ("blob:none",)))

    def fetch_history(self, repository: str, tips: Tips) -> None:
        ended = self._fetch(repository, branches_and_tags(tips()), ("tree:0", "blob:none", None))
        self._refuse_failure(repository, ended)

    def _fetch(self, repository: str, oids: Iterable[str], filters: Iterable[str | None], *options: str) -> Ended:
        """How fetching ended, with the first of these filters that the remote lets pass."""
        wanted = "".join(f"{oid}\n" for oid in dict.fromkeys(oids))
        ended = None
        for each in filters:
            narrowed = "--no-filter" if each is None else f"--filter={each}"  # one that was tried would be remembered
            words = (*_FETCH, *options, narrowed, "--stdin", "--end-of-options", "origin")
            ended = self._run(repository, words, wanted)
            if not ended.exit_code or not _NO_SUCH_FILTER.search(ended.complaint):
                break
        assert ended is not None
        return ended

    def _run(self, repository: str, words: Iterable[str], questions: str = "") -> Ended:
        environment = self._git.environment(self._budget.address, repository)
        with self._budget.spend(repository) as bounds:
            return run(
                (self._git.program, *words),
                bounds,
                environment=environment,
                folder=repository,
                questions=questions.encode("ascii"),
            )

    def _refuse_failure(self, repository: str, ended: Ended) -> None:
        self._budget.refuse_too_large(repository, ended)
        if ended.exit_code:
            raise transfer_failed(self._budget.address, ended.complaint)
