"""Run under strace by test_durability.py: one piece of work that must outlive a power cut."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.machine import SystemClock, private_directory
from agent_sync.apply.transaction import JOURNAL
from agent_sync.ports import Cancellation
from agent_sync.store.cache import cache_at
from agent_sync.tree import RelPath
from agent_sync_oci.registry.archive import ArchiveRegistry
from tests.builders.artifacts import put_artifact
from tests.builders.checkouts import AFTER, BEFORE, ACheckout
from tests.builders.stores import put
from tests.builders.trees import a_tree

KILLED = 9


class Killing(Cancellation):
    """Ends the process, as a kill would, once some targets of a run are changed."""

    def __init__(self, journal: str) -> None:
        super().__init__()
        self._journal = journal
        self._changed = 0

    def check(self) -> None:
        self._changed += os.path.exists(self._journal)
        if self._changed > 2:
            os._exit(KILLED)


def interrupt(directory: str) -> None:
    """A run that is killed between its first change and its commit."""
    ACheckout(DiskDirectory(directory)).sync(BEFORE)
    stop = Killing(f"{directory}/{JOURNAL}")
    ACheckout(DiskDirectory(directory), written=a_tree(BEFORE), cancellation=stop).sync(AFTER)


def store(directory: str) -> None:
    cache = cache_at(lambda: f"{directory}/cache", private_directory, SystemClock())
    put(b"a blob", cache.blobs)
    cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    cache.records.record("signers", "1" * 64, b"[]")


def replacing(directory: str) -> None:
    DiskDirectory(directory).replace(RelPath("agent-sync.lock"), b"version: 1\n")


def recovery(directory: str) -> None:
    ACheckout(DiskDirectory(directory), written=a_tree(BEFORE)).recover()


def archive(directory: str) -> None:
    with ArchiveRegistry(f"{directory}/it.tar") as registry:
        put_artifact(registry, b"one", tag="v1")


WORK: dict[str, Callable[[str], None]] = {
    "interrupt": interrupt,
    "store": store,
    "replacing": replacing,
    "recovery": recovery,
    "archive": archive,
}


if __name__ == "__main__":
    WORK[sys.argv[1]](sys.argv[2])
