"""Notes: what spoils them, what they know, where they put things."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync.receipt.facts import ABSENT, StatKey
from agent_sync.receipt.recorder import Known, Recorder
from tests.builders.receipts import facts_of, notes_of

KEY: StatKey = (0o100000, 2, 3, 4, 5)
OTHER: StatKey = (0o100000, 2, 3, 4, 6)
ONE, TWO = "1" * 64, "2" * 64


def test_what_is_noted_twice_alike_is_noted_once() -> None:
    recorder = Recorder(started_ns=0)
    for _ in range(2):
        recorder.seen("/a", KEY)
        recorder.read("/a", KEY, ONE, trusting=True)
        recorder.followed("/a", KEY, ONE)
        recorder.listing("/b", KEY, ["c"])
    assert not recorder.invalidated
    assert [len(table) for table in facts_of(recorder).tables()] == [0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0]


def test_a_world_that_changes_while_it_is_read_leaves_no_receipt() -> None:
    def seen(recorder: Recorder) -> None:
        recorder.seen("/a", OTHER)

    def gone(recorder: Recorder) -> None:
        recorder.seen("/a")

    def read(recorder: Recorder) -> None:
        recorder.read("/a", KEY, TWO, trusting=True)

    def followed(recorder: Recorder) -> None:
        recorder.followed("/b", KEY, TWO)

    def listed(recorder: Recorder) -> None:
        recorder.listing("/c", KEY, ["x", "y"])

    for change in (seen, gone, read, followed, listed):
        recorder = Recorder(started_ns=0)
        recorder.read("/a", KEY, ONE, trusting=True)
        recorder.followed("/b", KEY, ONE)
        recorder.listing("/c", KEY, ["x"])
        change(recorder)
        assert recorder.invalidated, change.__name__
        assert recorder.receipt("question", (), created_s=0, directory="/") is None


def test_directories_are_noted_by_what_they_are_not_by_what_happens_in_them() -> None:
    recorder = Recorder(started_ns=0)
    recorder.directory("/a", KEY)
    recorder.directory("/a", OTHER)
    assert not recorder.invalidated
    recorder.directory("/a", (*KEY[:1], 99, *KEY[2:]))
    assert recorder.invalidated


def test_a_run_that_wants_every_variable_leaves_no_receipt() -> None:
    for use in (len, list, dict):
        recorder = Recorder(started_ns=0)
        use(recorder.environment({"A": "1"}))
        assert recorder.invalidated, use.__name__


def test_a_missing_variable_is_missing_and_noted() -> None:
    recorder = Recorder(started_ns=0)
    variables = recorder.environment({})
    with pytest.raises(KeyError, match="A"):
        variables["A"]
    assert "A" not in variables
    assert facts_of(recorder).environment.keys() == {"A"}
    assert not recorder.invalidated


def test_what_was_read_without_trust_once_is_hashed_each_time() -> None:
    recorder = Recorder(started_ns=0)
    recorder.read("/a", KEY, ONE, trusting=True)
    recorder.read("/a", KEY, ONE, trusting=False)
    recorder.read("/b", KEY, ONE, trusting=True)
    one, other = facts_of(recorder).halves
    assert one.hashed.paths + other.hashed.paths == b"/a"
    assert one.trusted.paths + other.trusted.paths == b"/b"


def test_the_youngest_is_the_last_touched_of_what_is_trusted() -> None:
    recorder = Recorder(started_ns=0)
    recorder.read("/a", (0, 0, 0, 10, 20), ONE, trusting=True)
    recorder.read("/b", (0, 0, 0, 30, 0), ONE, trusting=True)
    recorder.read("/c", (0, 0, 0, 90, 90), ONE, trusting=False)
    recorder.seen("/d", (0, 0, 0, 80, 80))
    assert facts_of(recorder).youngest_ns == 30, "a file system may have no true ctime"
    recorder.followed("/e", (0, 0, 0, 0, 40), ONE)
    assert facts_of(recorder).youngest_ns == 40


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
    recorder = Recorder(started_ns=0, known=lambda: {"/a": (KEY, ONE)})
    assert recorder.known("/a", KEY) == ONE
    assert recorder.known("/a", OTHER) is None
    assert recorder.known("/a", ABSENT) is None
    assert recorder.known("/b", KEY) is None


def test_what_is_known_is_asked_once_and_only_when_needed() -> None:
    asked: list[bool] = []

    def known() -> Known:
        asked.append(True)
        return {}

    recorder = Recorder(started_ns=0, known=known)
    recorder.seen("/a", KEY)
    assert asked == []
    recorder.known("/a", KEY)
    recorder.known("/b", KEY)
    assert asked == [True]
