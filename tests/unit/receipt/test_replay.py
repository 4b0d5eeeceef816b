"""Replay: the same answer to the same question, on the same facts, to the same person, and no other."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from agent_sync.receipt.recorder import Recorder, known_files, save
from agent_sync.receipt.replay import MAX_AGE_S, age_marker, replay
from agent_sync.receipt.store import receipt_key, receipts_directory
from tests.builders.receipts import key_at, sha256_of

STATUS = ["status", "--json"]
SECOND = 10**9


class Machine:
    """A directory with one file, in which `status` was asked, and the cache that has the answer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "file"
        self.file.write_text("text")
        self.now_s = int(time.time())
        self.environment = {"AGENT_SYNC_CACHE": str(directory.parent / "cache")}
        self.shelf = directory.parent / "cache" / "receipts"

    def leave(self, *, started_ns: int, said: str = "to stdout\n") -> bool:
        recorder = Recorder(started_ns=started_ns)
        recorder.read(str(self.file), key_at(self.file), sha256_of(self.file), trusting=True)
        recorder.say(1, said.encode())
        recorder.say(2, b"to stderr\n")
        return save(recorder, STATUS, self.environment, created_s=self.now_s)

    def repeats(self, *words: str, after_s: int = 10) -> bool:
        """Whether `words`, else the same question, are answered so many seconds after."""
        return replay(words or STATUS, self.environment, now_ns=(self.now_s + after_s) * SECOND)

    @property
    def receipt(self) -> Path:
        (receipt,) = self.shelf.iterdir()
        return receipt


@pytest.fixture
def machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Machine:
    """One that has answered some time ago."""
    (tmp_path / "project").mkdir()
    machine = Machine(tmp_path / "project")
    with contextlib.chdir(machine.directory):
        assert machine.leave(started_ns=(machine.now_s + 60) * SECOND)
    capfd.readouterr()
    return machine


def test_the_answer_comes_again_on_the_streams_that_it_came_on(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    with contextlib.chdir(machine.directory):
        assert machine.repeats()
    assert capfd.readouterr() == ("to stdout\n", "to stderr\n")


def test_an_answer_that_comes_again_says_anew_how_long_ago_something_was(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    said = f"last sync: {age_marker(machine.now_s - 30)}\n"
    with contextlib.chdir(machine.directory):
        machine.leave(started_ns=(machine.now_s + 60) * SECOND, said=said)
        assert machine.repeats(after_s=0)
        assert machine.repeats(after_s=100)
    assert capfd.readouterr().out == "last sync: just now\nlast sync: 2 minutes ago\n"


def test_another_question_is_not_answered(machine: Machine) -> None:
    with contextlib.chdir(machine.directory):
        assert not machine.repeats("status")
        assert not machine.repeats(*STATUS, "--quiet")
    with contextlib.chdir(machine.directory.parent):
        assert not machine.repeats()


def test_nothing_is_said_where_a_fact_has_changed(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.file.write_text("TEXT")
    with contextlib.chdir(machine.directory):
        assert not machine.repeats()
    assert capfd.readouterr() == ("", "")


def test_a_receipt_put_under_another_name_is_not_believed(machine: Machine) -> None:
    with contextlib.chdir(machine.directory):
        asked = receipt_key(["check"])
        assert asked is not None
        machine.receipt.rename(machine.shelf / asked)
        assert not machine.repeats("check")


@pytest.mark.parametrize(("age_s", "believed"), [(-1, False), (0, True), (MAX_AGE_S - 1, True), (MAX_AGE_S, False)])
def test_a_receipt_is_good_for_a_day_and_not_before_it_was_made(
    machine: Machine, age_s: int, *, believed: bool
) -> None:
    with contextlib.chdir(machine.directory):
        assert machine.repeats(after_s=age_s) == believed


@pytest.mark.parametrize("content", [b"", b"agent-sync receipt 1\n", b"\x80\x04K\x01."])
def test_a_receipt_that_is_none_is_passed_over(machine: Machine, content: bytes) -> None:
    machine.receipt.write_bytes(content)
    with contextlib.chdir(machine.directory):
        assert not machine.repeats()
        assert known_files(machine.environment) == {}


def test_without_a_cache_nothing_is_left_or_found(machine: Machine) -> None:
    machine.environment = {}
    with contextlib.chdir(machine.directory):
        assert not machine.leave(started_ns=0)
        assert not machine.repeats()
        assert known_files({}) == {}


def test_without_a_current_directory_nothing_is_left_or_found(machine: Machine, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with contextlib.chdir(gone):
        gone.rmdir()
        assert receipt_key(STATUS) is None
        assert not machine.leave(started_ns=0)
        assert not machine.repeats()
        os.chdir(tmp_path)  # there is no way back to where one cannot be


def test_spoilt_notes_leave_nothing(machine: Machine) -> None:
    machine.receipt.unlink()
    recorder = Recorder(started_ns=0)
    recorder.invalidate()
    with contextlib.chdir(machine.directory):
        assert not save(recorder, STATUS, machine.environment, created_s=machine.now_s)
    assert list(machine.shelf.iterdir()) == []


# -- young files -----------------------------------------------------------------------------------------------------


def test_what_was_young_is_hashed_until_it_is_old_enough(machine: Machine) -> None:
    """The receipt is written anew then, so that the next look-up need not hash."""
    with contextlib.chdir(machine.directory):
        machine.leave(started_ns=machine.file.stat().st_ctime_ns)
        young = machine.receipt.read_bytes()
        assert machine.repeats(after_s=0)
        assert machine.receipt.read_bytes() == young, "it still is young"
        assert machine.repeats(after_s=60)
        old = machine.receipt.read_bytes()
        assert old != young
        assert machine.repeats(after_s=70)
        assert machine.receipt.read_bytes() == old


def test_being_written_anew_does_not_make_it_last_longer(machine: Machine) -> None:
    with contextlib.chdir(machine.directory):
        machine.leave(started_ns=machine.file.stat().st_ctime_ns)
        assert machine.repeats(after_s=MAX_AGE_S - 1)
        assert not machine.repeats(after_s=MAX_AGE_S)


# -- what later runs may use -----------------------------------------------------------------------------------------


def test_the_last_receipt_of_the_directory_tells_what_its_files_are(machine: Machine) -> None:
    with contextlib.chdir(machine.directory):
        known = known_files(machine.environment)
    assert known == {str(machine.file): (key_at(machine.file), sha256_of(machine.file))}
    with contextlib.chdir(machine.directory.parent):
        assert known_files(machine.environment) == {}


def test_it_tells_nothing_of_a_young_file(machine: Machine) -> None:
    with contextlib.chdir(machine.directory):
        machine.leave(started_ns=machine.file.stat().st_ctime_ns)
        assert known_files(machine.environment) == {}


# -- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "linux", "macos"),
    [
        ({"AGENT_SYNC_CACHE": "/c", "HOME": "/h"}, "/c/receipts", "/c/receipts"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/agent-sync/receipts", "/x/agent-sync/receipts"),
        ({"XDG_CACHE_HOME": "x", "HOME": "/h"}, "/h/.cache/agent-sync/receipts", None),
        ({"HOME": "/h"}, "/h/.cache/agent-sync/receipts", "/h/Library/Caches/agent-sync/receipts"),
        ({"HOME": ""}, None, None),
    ],
)
def test_receipts_lie_beside_the_store_or_in_the_directory_that_is_named(
    environment: dict[str, str], linux: str | None, macos: str | None
) -> None:
    assert receipts_directory(environment, macos=False) == linux
    if macos is not None:
        assert receipts_directory(environment, macos=True) == macos
