"""A plan carried out: what is there afterwards, what is kept, what is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_sync.apply import apply
from agent_sync.checkout import APPLIED, Checkout
from agent_sync.errors import (
    AgentSyncError,
    BlobCorrupt,
    BytesUnavailable,
    Cancelled,
    FileSystemError,
    RollbackIncomplete,
    UnsafePath,
)
from agent_sync.events import EditKept, Event, FileRemoved, FileWritten, Progressed, RolledBack
from agent_sync.plan.actions import Plan
from agent_sync.ports import Kind
from agent_sync.tree import RelPath
from tests.builders.checkouts import AFTER, BEFORE, EDIT, EDITED, ACheckout, as_shown
from tests.builders.directories import files_of
from tests.builders.trees import a_tree, program, sha256
from tests.fakes.applied import MemoryAppliedState
from tests.fakes.directory import MemoryDirectory


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def checkout(directory: MemoryDirectory) -> ACheckout:
    return ACheckout(directory)


def test_files_come_change_and_go(checkout: ACheckout) -> None:
    first = checkout.sync(BEFORE)
    assert checkout.targets() == as_shown(BEFORE)
    assert (first.written, first.removed, first.kept) == (tuple(sorted(BEFORE)), (), ())
    second = checkout.sync(AFTER)
    assert checkout.targets() == as_shown(AFTER)
    assert second.removed == (".claude/tools/turns", ".cursor/rules/gone/x.md", ".cursor/rules/narrows/y/z.md")
    assert not checkout.kept


def test_the_lock_that_was_applied_is_remembered(checkout: ACheckout) -> None:
    checkout.sync({"a.md": "one"}, lock=b"first")
    checkout.sync({"a.md": "two"}, lock=b"second")
    assert checkout.checkout.applied.read() == b"second"


def test_a_plan_without_actions_remembers_the_lock(checkout: ACheckout) -> None:
    checkout.apply(Plan(), lock=b"first")
    assert checkout.checkout.applied.read() == b"first"


def test_nothing_to_do_writes_nothing(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync(BEFORE)
    calls: list[str] = []
    directory.machine.before_call = lambda verb, _: calls.append(verb)
    checkout.sync(BEFORE)
    assert set(calls) <= {"stat", "open", "digest", "names", "below"}


def test_only_the_mode_may_change(checkout: ACheckout) -> None:
    checkout.sync({"run.sh": "#!/bin/sh"})
    assert checkout.sync({"run.sh": program("#!/bin/sh")}).written == ("run.sh",)
    assert checkout.targets() == {"run.sh": "*#!/bin/sh"}


def test_directories_that_removals_empty_go_and_others_stay(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync({"a/b/c/ours.md": "x", "d/ours.md": "x"})
    directory.put("a/theirs.md", "y")
    checkout.sync({})
    assert checkout.targets() == {"a/theirs.md": "y"}


def test_an_edit_is_kept_when_it_is_replaced(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync(BEFORE)
    directory.put(EDITED, EDIT, executable=True)
    applied = checkout.sync(AFTER)
    assert checkout.targets() == as_shown(AFTER)
    (edit,) = applied.kept
    assert (edit.path, checkout.kept) == (EDITED, {EDITED: EDIT})
    assert checkout.heard(EditKept) == [EditKept(EDITED, edit.place)]
    assert files_of(directory)[edit.place] == f"*{EDIT}"


def test_a_file_that_was_never_ours_is_kept(checkout: ACheckout, directory: MemoryDirectory) -> None:
    directory.put("a.md", "theirs")
    checkout.sync({"a.md": "ours"})
    assert (checkout.targets(), checkout.kept) == ({"a.md": "ours"}, {"a.md": "theirs"})


def test_an_edited_file_that_goes_is_kept(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync({"a.md": "ours"})
    directory.put("a.md", "theirs")
    checkout.sync({})
    assert (checkout.targets(), checkout.kept) == ({}, {"a.md": "theirs"})


@pytest.mark.parametrize("path", ["a/changes.md", "a/goes.md", "a/comes.md"])
@pytest.mark.parametrize("moment", ["stat", "link", "create", "rename"])
def test_an_edit_made_after_planning_is_kept(
    checkout: ACheckout, directory: MemoryDirectory, path: str, moment: str
) -> None:
    checkout.sync({"a/changes.md": "one", "a/goes.md": "one"})
    plan = checkout.plan({"a/changes.md": "two", "a/comes.md": "two"})
    done: list[str] = []

    def edit(verb: str, called: str) -> None:
        if verb == moment and not done:
            done.append(called)
            directory.put(path, EDIT)

    directory.machine.before_call = edit
    checkout.apply(plan)
    assert done
    assert EDIT in {*checkout.kept.values(), *checkout.targets().values()}
    wanted = {"a/changes.md": "two", "a/comes.md": "two"}
    assert {path: text for path, text in checkout.targets().items() if text != EDIT} == wanted


def test_a_same_sized_edit_with_the_old_times_put_back_is_kept(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync({"a.md": "one"})
    plan = checkout.plan({"a.md": "two"})
    file = directory.node.entries["a.md"]
    modified_ns = file.modified_ns
    file.write(b"own")
    file.modified_ns = modified_ns
    checkout.apply(plan)
    assert checkout.kept == {"a.md": "own"}


def test_a_mode_changed_after_planning_is_kept(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync({"a.md": "one"})
    plan = checkout.plan({"a.md": "two"})

    def make_executable(verb: str, _path: str) -> None:
        if verb == "link":
            directory.node.entries["a.md"].executable = True

    directory.machine.before_call = make_executable
    checkout.apply(plan)
    (edit,) = checkout.checkout.kept.all()
    assert files_of(directory)[edit.place] == "*one"


def test_a_file_that_vanished_after_planning_is_written_and_needs_no_removal(
    checkout: ACheckout, directory: MemoryDirectory
) -> None:
    checkout.sync({"a.md": "one", "b.md": "one"})
    plan = checkout.plan({"a.md": "two"})
    directory.drop("a.md")
    directory.drop("b.md")
    assert checkout.apply(plan).removed == ()
    assert (checkout.targets(), checkout.kept) == ({"a.md": "two"}, {})


def test_everything_that_happened_is_told(checkout: ACheckout) -> None:
    checkout.sync({"a/one.md": "1", "two.md": "2"})
    checkout.events.clear()
    checkout.sync({"a/three.md": "3", "two.md": "22"})
    assert checkout.heard(FileWritten) == [FileWritten("a/three.md"), FileWritten("two.md")]
    assert checkout.heard(FileRemoved) == [FileRemoved("a/one.md")]
    assert checkout.heard(Progressed)[-1] == Progressed("write", 2, 2)


def test_a_corrupt_blob_changes_nothing_and_is_named_with_its_source(checkout: ACheckout) -> None:
    checkout.sync(BEFORE)
    checkout.contents.corrupt.add(sha256("deep"))
    with pytest.raises(BlobCorrupt, match=r"source source-of-\.windsurf, file .*core/a\.md") as caught:
        checkout.apply(checkout.plan(AFTER))
    assert caught.value.digest == f"sha256:{sha256('deep')}"
    assert checkout.targets() == as_shown(BEFORE)
    assert not checkout.heard(RolledBack)


def test_bytes_that_are_nowhere_change_nothing(checkout: ACheckout) -> None:
    plan = checkout.plan({"a.md": "one", "b.md": "two"})
    checkout.contents = ACheckout().contents
    with pytest.raises(BytesUnavailable):
        checkout.apply(plan)
    assert checkout.targets() == {}


def test_a_cancelled_run_changes_nothing(checkout: ACheckout) -> None:
    checkout.sync(BEFORE)
    plan = checkout.plan(AFTER)
    checkout.observer = lambda _: checkout.cancellation.cancel()
    with pytest.raises(Cancelled):
        checkout.apply(plan)
    assert checkout.targets() == as_shown(BEFORE)


def test_a_run_cancelled_between_two_renames_is_undone(checkout: ACheckout, directory: MemoryDirectory) -> None:
    checkout.sync(BEFORE)
    plan = checkout.plan(AFTER)
    renames: list[str] = []

    def cancel(verb: str, path: str) -> None:
        renames.extend([path] if verb == "rename" else [])
        if len(renames) == 4:
            checkout.cancellation.cancel()

    directory.machine.before_call = cancel
    with pytest.raises(Cancelled):
        checkout.apply(plan)
    assert checkout.targets() == as_shown(BEFORE)
    assert len(checkout.heard(RolledBack)) == 1


def test_an_interrupted_checkout_is_not_written_to_before_it_is_recovered(
    checkout: ACheckout, directory: MemoryDirectory
) -> None:
    from agent_sync.apply import apply

    directory.put(".agent-sync/txn/journal", "whatever")
    with pytest.raises(RollbackIncomplete, match="interrupted"):
        apply(Plan(), checkout.contents, checkout.checkout, checkout.world, applied_lock=b"")


def test_what_a_run_left_that_never_wrote_its_journal_is_cleared_away(
    checkout: ACheckout, directory: MemoryDirectory
) -> None:
    directory.put(".agent-sync/txn/stage/0", "half")
    directory.put(".agent-sync/txn/stage/1/deep/er", "half")
    checkout.sync({"a.md": "one"})
    assert checkout.targets() == {"a.md": "one"}


def test_kept_edits_of_one_path_do_not_overwrite_each_other(checkout: ACheckout, directory: MemoryDirectory) -> None:
    for version in range(3):
        checkout.sync({"a.md": f"ours {version}"})
        directory.put("a.md", f"theirs {version}")
    checkout.sync({"a.md": "ours at last"})
    assert [edit.path for edit in checkout.checkout.kept.all()] == [RelPath("a.md")] * 3
    assert checkout.kept == {"a.md": "theirs 2"}


# -- What others put in the way between the survey and the change: the run is undone, and theirs is left alone.

FIRST = {"a/changes.md": "one", "a/goes.md": "one", "narrows/x.md": "one"}
SECOND = {"a/changes.md": "two", "a/comes.md": "two", "narrows": "two", "new/b.md": "two"}

Put = Callable[[MemoryDirectory], object]

INTRUSIONS: dict[str, tuple[type[AgentSyncError], str, Put]] = {
    "a new directory appears": (FileSystemError, "new", lambda directory: directory.put("new/theirs.md", "theirs")),
    "a new directory appears empty": (
        FileSystemError,
        "new",
        lambda directory: directory.put_other("new", Kind.DIRECTORY),
    ),
    "a file takes its name": (FileSystemError, "new", lambda directory: directory.put("new", "theirs")),
    "a link takes its name": (FileSystemError, "new", lambda directory: directory.put_other("new", Kind.LINK)),
    "a link takes the place of a file": (
        UnsafePath,
        "a/changes.md",
        lambda directory: directory.put_other("a/changes.md", Kind.LINK),
    ),
    "a link takes the place of a file that goes": (
        UnsafePath,
        "a/goes.md",
        lambda directory: directory.put_other("a/goes.md", Kind.LINK),
    ),
    "a fifo stands where a file comes": (
        FileSystemError,
        "a/comes.md",
        lambda directory: directory.put_other("a/comes.md", Kind.OTHER),
    ),
    "a file is put into a directory that gives way": (
        FileSystemError,
        "narrows",
        lambda directory: directory.put("narrows/theirs.md", "theirs"),
    ),
}


def when_all_is_staged(put: Put, directory: MemoryDirectory) -> Callable[[Event], object]:
    def hear(event: Event) -> None:
        if isinstance(event, Progressed) and event.done == event.total:
            put(directory)

    return hear


@pytest.mark.parametrize("intrusion", INTRUSIONS)
def test_an_intrusion_is_refused_and_left_alone_and_all_is_as_it_was(intrusion: str) -> None:
    family, path, put = INTRUSIONS[intrusion]
    directory, expected = MemoryDirectory(), MemoryDirectory()
    checkout, undisturbed = ACheckout(directory), ACheckout(expected)
    for each in (checkout, undisturbed):
        each.sync(FIRST)
    put(expected)
    plan = checkout.plan(SECOND)
    checkout.observer = when_all_is_staged(put, directory)
    with pytest.raises(family) as caught:
        checkout.apply(plan)
    assert f'"{path}"' in caught.value.subject
    assert caught.value.remedy
    assert checkout.targets() == undisturbed.targets()
    assert not checkout.kept


def test_a_directory_on_another_disk_does_not_give_way_to_a_file_but_says_what_helps() -> None:
    directory = MemoryDirectory()
    directory.mount("mounted")
    checkout = ACheckout(directory)
    checkout.sync({"mounted/narrows/x.md": "one"})
    plan = checkout.plan({"mounted/narrows": "two"})
    with pytest.raises(FileSystemError, match="another file system") as caught:
        checkout.apply(plan)
    assert "remove that directory" in str(caught.value.remedy)
    assert checkout.targets() == {"mounted/narrows/x.md": "one"}
    directory.drop("mounted/narrows")
    checkout.apply(checkout.plan({"mounted/narrows": "two"}))
    assert checkout.targets() == {"mounted/narrows": "two"}


def test_a_reader_never_finds_a_file_missing_that_is_replaced() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync({"a.md": "one"})
    plan = checkout.plan({"a.md": "two"})
    seen = set()

    def look(_verb: str, _path: str) -> None:
        seen.add(bytes(directory.node.entries["a.md"].content))

    directory.machine.before_call = look
    checkout.apply(plan)
    assert seen == {b"one", b"two"}


def test_what_was_applied_is_kept_wherever_the_checkout_keeps_it() -> None:
    """Numbered generations can take the place of the one file: no step knows of it."""
    checkout = ACheckout()
    state = MemoryAppliedState(checkout.directory)
    elsewhere = Checkout(checkout.directory, applied=state)
    for lock in (b"first", b"second"):
        plan = checkout.plan({"a.md": lock.decode()})
        apply(plan, checkout.contents, elsewhere, checkout.world, applied_lock=lock)
        checkout.written = a_tree({"a.md": lock.decode()})
    assert state.states == [b"first", b"second"]
    assert checkout.directory.stat(APPLIED) is None
    assert checkout.targets() == {"a.md": "second"}
