"""What stands in the way of a plan is told before anything is touched, with the path and the source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_sync.apply import survey
from agent_sync.errors import AgentSyncError, FileSystemError, UnsafePath
from agent_sync.plan.actions import Action, Plan, Step
from agent_sync.ports import Kind
from agent_sync.tree import Entry, RelPath
from tests.builders.checkouts import ACheckout
from tests.builders.trees import sha256
from tests.fakes.directory import MemoryDirectory

Prepare = Callable[[MemoryDirectory], object]

OBSTACLES: dict[str, tuple[type[AgentSyncError], Prepare]] = {
    "the target is a link": (UnsafePath, lambda directory: directory.put_other("a/b/x.md", Kind.LINK)),
    "the target is a fifo": (FileSystemError, lambda directory: directory.put_other("a/b/x.md", Kind.OTHER)),
    "the target is an empty directory's parent": (
        FileSystemError,
        lambda directory: directory.put("a/b/x.md/theirs", "y"),
    ),
    "the target's directory is a link": (UnsafePath, lambda directory: directory.put_other("a/b", Kind.LINK)),
    "a directory above is a link": (UnsafePath, lambda directory: directory.put_other("a", Kind.LINK)),
    "the target's directory is a file": (FileSystemError, lambda directory: directory.put("a/b", "y")),
    "a directory above is a file": (FileSystemError, lambda directory: directory.put("a", "y")),
    "a directory above is a fifo": (FileSystemError, lambda directory: directory.put_other("a", Kind.OTHER)),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_an_obstacle_is_refused_and_nothing_has_changed(obstacle: str) -> None:
    family, prepare = OBSTACLES[obstacle]
    directory = MemoryDirectory()
    prepare(directory)
    checkout = ACheckout(directory)
    before = checkout.targets()
    plan = Plan(
        (
            Action(Step.CREATE, RelPath("Z.md"), "other", None, Entry(sha256("z"))),
            Action(Step.CREATE, RelPath("a/b/x.md"), "base-rules", None, Entry(sha256("x"))),
        )
    )
    with pytest.raises(family) as caught:
        checkout.apply(plan)
    assert caught.value.subject == 'source base-rules, file "a/b/x.md"'
    assert caught.value.remedy
    assert checkout.targets() == before
    assert directory.names(RelPath(".")) == ("a",)


def test_a_dry_run_meets_the_same_obstacles_and_writes_nothing() -> None:
    directory = MemoryDirectory()
    directory.put_other("a/x.md", Kind.LINK)
    checkout = ACheckout(directory)
    with pytest.raises(UnsafePath):
        survey(checkout.plan({"a/x.md": "x"}), directory, now_s=0.0)
    assert directory.names(RelPath(".")) == ("a",)


@pytest.mark.parametrize("path", [".agent-sync/applied.lock", ".Agent-Sync/txn/journal", ".agent-sync"])
def test_our_own_state_is_no_target(path: str) -> None:
    with pytest.raises(UnsafePath, match=r"\.agent-sync"):
        survey(Plan((Action(Step.CREATE, RelPath(path), "s", None, Entry(sha256("x"))),)), MemoryDirectory(), now_s=0.0)


def test_what_is_to_be_removed_and_is_a_link_is_refused() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync({"a.md": "x"})
    plan = checkout.plan({})
    directory.put_other("a.md", Kind.LINK)
    with pytest.raises(UnsafePath):
        checkout.apply(plan)
    assert checkout.targets() == {"a.md": "link"}


def test_a_directory_that_becomes_a_file_must_hold_nothing_but_what_goes() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync({"a/b.md": "x"})
    directory.put("a/theirs.md", "y")
    plan = checkout.plan({"a": "now a file"})
    with pytest.raises(FileSystemError, match=r"a/theirs\.md"):
        checkout.apply(plan)
    directory.drop("a/theirs.md")
    checkout.apply(plan)
    assert checkout.targets() == {"a": "now a file"}


def test_files_of_one_new_directory_are_one_change() -> None:
    checkout = ACheckout()
    plan = checkout.plan({"old.md": "x", **{f"new/{number}/deep/{number}.md": "x" for number in range(100)}})
    assert [change.path for change in survey(plan, checkout.directory, now_s=0.0)] == ["old.md", "new"]


def test_a_young_file_is_not_trusted_by_its_times() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync({"a.md": "one"})
    file = directory.node.entries["a.md"]
    file.modified_ns = file.changed_ns = int(checkout.clock.now * 1e9) - 1_000_000
    plan = checkout.plan({"a.md": "two"})
    file.content[:] = b"own"  # within the same tick: nothing shows it
    checkout.apply(plan)
    assert checkout.kept == {"a.md": "own"}
