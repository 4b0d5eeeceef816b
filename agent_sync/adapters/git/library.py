"""Transport by libgit2, for machines without the `git` command: whole histories of refs, by a process of its own.

A process, because libgit2's settings (where a user's configuration lies, whom to trust) are global to the program that
loads it, and because a connection that hangs in a library can only be killed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from agent_sync.adapters.git.faults import transfer_failed
from agent_sync.adapters.git.program import run
from agent_sync.adapters.git.transport import Budget, Tips, branches_and_tags


class GitLibrary:
    """The remote at `budget.address`, spoken to by libgit2, which can neither ask for one commit nor leave out blobs.

    `certificates`: a file of authorities to trust in place of the machine's.
    """

    def __init__(self, environment: Mapping[str, str], budget: Budget, *, home: str, certificates: str | None) -> None:
        self._environment = environment
        self._certificates = certificates
        self._budget = budget
        self._home = home

    def list_refs(self) -> bytes:
        return self._run(self._home, None)

    def fetch(self, repository: str, oids: Sequence[str], tips: Tips, *, without_blobs: bool) -> None:
        del without_blobs  # it cannot
        wanted = set(oids)
        leading = {name.removesuffix("^{}") for name, oid in tips().items() if oid in wanted}
        behind_no_tip = wanted - set(tips().values())
        self._run(repository, _names(tips()) if behind_no_tip else sorted(leading))

    def fetch_blobs(self, repository: str, oids: Sequence[str]) -> None:
        """Nothing to do: `fetch` has brought them."""

    def fetch_history(self, repository: str, tips: Tips) -> None:
        self._run(repository, _names(tips()))

    def _run(self, repository: str, refs: Sequence[str] | None) -> bytes:
        """The list of refs, or nothing after fetching `refs`."""
        order = {
            "address": self._budget.address.text,
            "repository": repository,
            "refs": refs,
            "certificates": self._certificates,
        }
        with self._budget.spend(repository) as bounds:
            ended = run(
                (sys.executable, "-I", "-m", "agent_sync.adapters.git.library_process"),
                bounds,
                environment=self._environment,
                folder=repository,
                questions=json.dumps(order).encode("ascii"),
            )
        self._budget.refuse_too_large(repository, ended)
        if ended.exit_code:
            raise transfer_failed(self._budget.address, ended.complaint)
        return ended.output


def _names(tips: Mapping[str, str]) -> list[str]:
    known = set(branches_and_tags(tips))
    return sorted(name for name, oid in tips.items() if oid in known and not name.endswith("^{}"))
