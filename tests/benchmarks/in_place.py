"""Contests over what already lies in its place: starting up, doing nothing, checking, reading the lock."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.inputs import ROOT, Room, declare, local_source
from tests.benchmarks.measuring import Command, Contest, Side, run

_PYTHON = ("python", "-c", "pass")
_HASH_ALL = "find out -type f -print0 | xargs -0 sha256sum > /dev/null"


def starting(room: Room, *, words: tuple[str, ...]) -> Contest:
    """A command that needs no project, against a Python that does nothing."""
    return Contest(lambda _: room.agent_sync(*words), lambda _: room.command(*_PYTHON), warm=True)


def nothing_to_do(room: Room, verb: str, files: int) -> Contest:
    """`verb` in a small project whose receipt is there, against a Python that does nothing."""
    project = room.synced(room.scaled(files))
    return Contest(_verb(room, verb, project), lambda _: room.command(*_PYTHON), warm=True)


def beside_git_status(room: Room, verb: str, files: int) -> Contest:
    """`verb`, its receipt there, against `git status` of the same files, its index fresh."""
    project = room.synced(room.scaled(files))
    return Contest(_verb(room, verb, project), lambda _: room.command("git", "status", cwd=project), warm=True)


def without_receipt(room: Room, verb: str, files: int) -> Contest:
    """The same where no receipt is left: everything is read and hashed."""
    project = room.synced(room.scaled(files))

    def ours(_: Path) -> Command:
        for receipt in (room.path / "home/.cache/agent-sync/receipts").glob("*"):
            receipt.unlink()
        return room.agent_sync(verb, project=project)

    return Contest(ours, lambda _: room.command("git", "status", cwd=project), warm=True)


def beside_sha256sum(room: Room, files: int) -> Contest:
    """`check`, against hashing the same files with the usual program."""
    project = room.synced(room.scaled(files))
    return Contest(_verb(room, "check", project), lambda _: room.command("sh", "-c", _HASH_ALL, cwd=project), warm=True)


def loading_a_lock(room: Room, files: int) -> Contest:
    """A lock of so many files, loaded and validated inside a process."""
    count = room.scaled(files)

    def make(project: Path) -> None:
        declare(project, local_source(room.tree(count, size=100)))
        run(room.agent_sync("update", "--yes", project=project))

    lock = room.once(f"locked-{count}", make) / "agent-sync.lock"
    words = (sys.executable, "-m", "tests.benchmarks.lock_loading", str(lock))
    return Contest(lambda _: Command(words, ROOT, room.environment, reports=True), warm=True)


def _verb(room: Room, verb: str, project: Path) -> Side:
    return lambda _: room.agent_sync(verb, project=project)
