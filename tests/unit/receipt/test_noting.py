"""Notes: what spoils them, what they know, where they put things."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.receipt.facts import ABSENT, Key
from agent_sync.receipt.noting import Known, Notes
from tests.builders.receipts import facts_of, notes_of

KEY: Key = (0o100000, 2, 3, 4, 5)
OTHER: Key = (0o100000, 2, 3, 4, 6)
ONE, TWO = "1" * 64, "2" * 64


def test_what_is_noted_twice_alike_is_noted_once() -> None:
    notes = Notes(begun_ns=0)
    for _ in range(2):
        notes.seen("/a", KEY)
        notes.read("/a", KEY, ONE, trusting=True)
        notes.followed("/a", KEY, ONE)
        notes.listing("/b", KEY, ["c"])
    assert not notes.spoilt
    assert [len(table) for table in facts_of(notes).tables()] == [0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0]


def test_a_world_that_changes_while_it_is_read_leaves_no_receipt() -> None:
    def seen(notes: Notes) -> None:
        notes.seen("/a", OTHER)

    def gone(notes: Notes) -> None:
        notes.seen("/a")

    def read(notes: Notes) -> None:
        notes.read("/a", KEY, TWO, trusting=True)

    def followed(notes: Notes) -> None:
        notes.followed("/b", KEY, TWO)

    def listed(notes: Notes) -> None:
        notes.listing("/c", KEY, ["x", "y"])

    for change in (seen, gone, read, followed, listed):
        notes = Notes(begun_ns=0)
        notes.read("/a", KEY, ONE, trusting=True)
        notes.followed("/b", KEY, ONE)
        notes.listing("/c", KEY, ["x"])
        change(notes)
        assert notes.spoilt, change.__name__
        assert notes.receipt("question", (), made_s=0, directory="/") is None


def test_directories_are_noted_by_what_they_are_not_by_what_happens_in_them() -> None:
    notes = Notes(begun_ns=0)
    notes.directory("/a", KEY)
    notes.directory("/a", OTHER)
    assert not notes.spoilt
    notes.directory("/a", (*KEY[:1], 99, *KEY[2:]))
    assert notes.spoilt


def test_a_run_that_wants_every_variable_leaves_no_receipt() -> None:
    for use in (len, list, dict):
        notes = Notes(begun_ns=0)
        use(notes.environment({"A": "1"}))
        assert notes.spoilt, use.__name__


def test_a_missing_variable_is_missing_and_noted() -> None:
    notes = Notes(begun_ns=0)
    variables = notes.environment({})
    with pytest.raises(KeyError, match="A"):
        variables["A"]
    assert "A" not in variables
    assert facts_of(notes).environment.keys() == {"A"}
    assert not notes.spoilt


def test_what_was_read_without_trust_once_is_hashed_each_time() -> None:
    notes = Notes(begun_ns=0)
    notes.read("/a", KEY, ONE, trusting=True)
    notes.read("/a", KEY, ONE, trusting=False)
    notes.read("/b", KEY, ONE, trusting=True)
    one, other = facts_of(notes).halves
    assert one.hashed.paths + other.hashed.paths == b"/a"
    assert one.trusted.paths + other.trusted.paths == b"/b"


def test_the_youngest_is_the_last_touched_of_what_is_trusted() -> None:
    notes = Notes(begun_ns=0)
    notes.read("/a", (0, 0, 0, 10, 20), ONE, trusting=True)
    notes.read("/b", (0, 0, 0, 30, 0), ONE, trusting=True)
    notes.read("/c", (0, 0, 0, 90, 90), ONE, trusting=False)
    notes.seen("/d", (0, 0, 0, 80, 80))
    assert facts_of(notes).youngest_ns == 30, "a file system may have no true ctime"
    notes.followed("/e", (0, 0, 0, 0, 40), ONE)
    assert facts_of(notes).youngest_ns == 40


def test_halves_take_about_as_long_as_each_other_and_lose_nothing(tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(8)]
    for path in files:
        path.write_bytes(bytes(1_000_000 if path.name == "0" else 10))
    one, other = facts_of(notes_of(hashed=files)).halves
    assert (len(one.hashed), len(other.hashed)) == (1, 7)
    one, other = facts_of(notes_of(seen=files)).halves
    assert (len(one.seen), len(other.seen)) == (4, 4)


# -- what earlier runs know ------------------------------------------------------------------------------------------


def test_a_known_file_is_known_by_its_key() -> None:
    notes = Notes(begun_ns=0, known=lambda: {"/a": (KEY, ONE)})
    assert notes.known("/a", KEY) == ONE
    assert notes.known("/a", OTHER) is None
    assert notes.known("/a", ABSENT) is None
    assert notes.known("/b", KEY) is None


def test_what_is_known_is_asked_once_and_only_when_needed() -> None:
    asked: list[bool] = []

    def known() -> Known:
        asked.append(True)
        return {}

    notes = Notes(begun_ns=0, known=known)
    notes.seen("/a", KEY)
    assert asked == []
    notes.known("/a", KEY)
    notes.known("/b", KEY)
    assert asked == [True]
