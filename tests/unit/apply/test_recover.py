"""An interrupted run settled, with what people and attackers may have done in between."""

from __future__ import annotations

import json

import pytest

from agent_sync.apply.transaction import MAX_JOURNAL_BYTES, State, Transaction
from agent_sync.errors import LimitExceeded, RollbackIncomplete
from agent_sync.ports import Kind
from agent_sync.tree import RelPath
from tests.builders.checkouts import AFTER, BEFORE, EDIT, EDITED, ACheckout, as_shown
from tests.builders.directories import files_of
from tests.builders.trees import sha256
from tests.fakes.directory import MemoryDirectory, unheard
from tests.fakes.faults import Faults, Killed

JOURNAL = ".agent-sync/txn/journal"


class KilledBeforeCommit:
    """A checkout on its way from BEFORE to AFTER, with every target changed, killed before the last rename."""

    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self.checkout = ACheckout(self.directory)
        self.checkout.sync(BEFORE)
        plan = self.checkout.plan(AFTER)
        self.directory.machine.before_call = self._kill
        with pytest.raises(Killed):
            self.checkout.apply(plan)
        self.directory.machine.before_call = unheard

    def _kill(self, verb: str, path: str) -> None:
        if verb == "rename" and path == ".agent-sync/txn/applied.lock":
            self.directory.machine.before_call = Faults(0, error=Killed, for_ever=True)
            raise Killed


@pytest.fixture
def killed() -> KilledBeforeCommit:
    return KilledBeforeCommit()


def test_what_was_replaced_and_removed_is_back_and_what_was_created_is_gone(killed: KilledBeforeCommit) -> None:
    recovered = killed.checkout.recover()
    assert recovered is not None
    assert not recovered.finished
    changed = {path for path in {*BEFORE, *AFTER} if BEFORE.get(path) != AFTER.get(path)} | {".claude/tools/run.sh"}
    assert set(recovered.restored) == changed
    assert killed.checkout.targets() == as_shown(BEFORE)
    assert killed.checkout.recover() is None


def test_an_edit_made_after_the_kill_is_kept_before_the_old_file_comes_back(killed: KilledBeforeCommit) -> None:
    killed.directory.put(EDITED, EDIT)
    recovered = killed.checkout.recover()
    assert recovered is not None
    assert [edit.path for edit in recovered.kept] == [EDITED]
    assert killed.checkout.kept == {EDITED: EDIT}
    assert killed.checkout.targets() == as_shown(BEFORE)


def test_a_file_put_where_one_was_removed_is_kept(killed: KilledBeforeCommit) -> None:
    killed.directory.put(".cursor/rules/gone/x.md", EDIT)
    killed.checkout.recover()
    assert killed.checkout.kept == {".cursor/rules/gone/x.md": EDIT}
    assert killed.checkout.targets() == as_shown(BEFORE)


@pytest.mark.parametrize("path", [".windsurf/rules/core/a.md", ".windsurf/rules/theirs.md", ".claude/rules/new.md"])
def test_what_stands_where_nothing_was_before_stays_if_it_is_not_ours(killed: KilledBeforeCommit, path: str) -> None:
    killed.directory.put(path, EDIT)
    killed.checkout.recover()
    assert killed.checkout.targets() == dict(sorted({**as_shown(BEFORE), path: EDIT}.items()))
    assert not killed.checkout.kept


def test_a_target_directory_that_was_removed_meanwhile_is_made_again(killed: KilledBeforeCommit) -> None:
    killed.directory.drop(".cursor")
    killed.directory.drop(".windsurf")
    killed.checkout.recover()
    assert killed.checkout.targets() == as_shown(BEFORE)


def test_a_link_put_at_a_target_is_replaced_and_not_followed(killed: KilledBeforeCommit) -> None:
    killed.directory.put_other(EDITED, Kind.LINK)
    killed.checkout.recover()
    assert killed.checkout.targets() == as_shown(BEFORE)


def test_what_cannot_be_put_back_stays_in_the_journal_and_the_rest_is_put_back(killed: KilledBeforeCommit) -> None:
    killed.directory.drop(EDITED)
    killed.directory.put(f"{EDITED}/theirs", "a directory in the way")
    with pytest.raises(RollbackIncomplete, match="a directory is where the file was") as caught:
        killed.checkout.recover()
    assert caught.value.subject == f'file "{EDITED}"'
    assert "agent-sync recover" in str(caught.value.remedy)
    assert files_of(killed.directory)["AGENTS.md"] == BEFORE["AGENTS.md"]
    killed.directory.drop(EDITED)
    killed.checkout.recover()
    assert killed.checkout.targets() == as_shown(BEFORE)


def test_two_files_that_cannot_be_put_back_are_one_and_one_more(killed: KilledBeforeCommit) -> None:
    for path in (EDITED, "AGENTS.md"):
        killed.directory.drop(path)
        killed.directory.put(f"{path}/theirs", "a directory in the way")
    with pytest.raises(RollbackIncomplete) as caught:
        killed.checkout.recover()
    assert caught.value.subject.endswith(", and 1 more file")


def test_a_journal_that_could_not_be_read_back_is_not_written() -> None:
    directory = MemoryDirectory()
    transaction = Transaction.begin(ACheckout(directory).checkout, "aa")
    with pytest.raises(LimitExceeded, match=f"{MAX_JOURNAL_BYTES + 1} bytes"):
        transaction.open(bytes(MAX_JOURNAL_BYTES + 1), applied_lock=b"lock")
    assert [path for path in files_of(directory) if path.startswith(".agent-sync/txn/") and path[-1] != "/"] == []
    assert transaction.state() is State.STAGING


def test_a_directory_that_had_given_way_to_a_file_is_back_with_the_directories_in_it() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync({"a/b.md": "x"})
    directory.put_other("a/empty", Kind.DIRECTORY)
    plan = checkout.plan({"a": "now a file"})

    def kill(_verb: str, path: str) -> None:
        if directory.node.entries.get("a") is None and path:
            directory.machine.before_call = Faults(0, error=Killed, for_ever=True)
            raise Killed

    directory.machine.before_call = kill
    with pytest.raises(Killed):
        checkout.apply(plan)
    directory.machine.before_call = unheard
    checkout.recover()
    assert checkout.targets() == {"a/b.md": "x", "a/empty/": ""}


def test_a_run_that_was_committed_is_finished_and_its_edits_are_kept() -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    checkout.sync(BEFORE)
    directory.put(EDITED, EDIT)
    plan = checkout.plan(AFTER)

    def kill(_verb: str, path: str) -> None:
        if ".agent-sync/kept" in path:
            directory.machine.before_call = Faults(0, error=Killed, for_ever=True)
            raise Killed

    directory.machine.before_call = kill
    with pytest.raises(Killed):
        checkout.apply(plan, lock=b"new")
    directory.machine.before_call = unheard
    recovered = checkout.recover()
    assert recovered is not None
    assert recovered.finished
    assert (checkout.targets(), checkout.kept) == (as_shown(AFTER), {EDITED: EDIT})
    assert checkout.checkout.applied.read() == b"new"


def test_nothing_is_recovered_where_nothing_was_interrupted() -> None:
    directory = MemoryDirectory()
    assert ACheckout(directory).recover() is None
    assert directory.names(RelPath(".")) == ()


def a_journal(**other: object) -> bytes:
    row = ["a.md", None, [sha256("x"), False]]
    return json.dumps({"version": 1, "identity": "abc", "changes": [row], **other}).encode()


HOSTILE = {
    "no JSON": b"\xff{",
    "a nest": b"[" * 100_000,
    "a list": b"[]",
    "another version": a_journal(version=2),
    "an identity that is a path": a_journal(identity="../x"),
    "no changes": a_journal(changes=None),
    "a path out of the project": a_journal(changes=[["../x", None, None]]),
    "an absolute path": a_journal(changes=[["/etc/passwd", None, None]]),
    "a git hook": a_journal(changes=[[".git/hooks/pre-commit", None, [sha256("x"), True]]]),
    "our own state": a_journal(changes=[[".agent-sync/applied.lock", None, None]]),
    "a key out of its directory": a_journal(changes=[["a", [["../../x", sha256("x"), False]]]]),
    "a digest that is a path": a_journal(changes=[["a.md", None, ["../x", False]]]),
    "a mode that is a word": a_journal(changes=[["a.md", None, [sha256("x"), "yes"]]]),
    "a short row": a_journal(changes=[["a.md"]]),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_journal_that_is_not_ours_is_refused_and_nothing_is_touched(hostile: str) -> None:
    directory = MemoryDirectory()
    checkout = ACheckout(directory)
    directory.put(JOURNAL, HOSTILE[hostile])
    directory.put(".agent-sync/txn/applied.lock", "lock")
    directory.put(".agent-sync/txn/undo/0", "evil")
    before = files_of(directory)
    with pytest.raises(RollbackIncomplete, match="journal") as caught:
        checkout.recover()
    assert ".agent-sync/txn/undo" in str(caught.value.remedy)
    assert files_of(directory) == before
