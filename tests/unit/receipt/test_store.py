"""The directory of receipts: private, bounded, and never half-written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_sync.receipt.store import (
    MAX_RECEIPT_BYTES,
    MAX_RECEIPTS,
    MAX_TOTAL_BYTES,
    newest_receipt,
    read_receipt,
    write_receipt,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "receipts"


def _written(shelf: Path, name: str, content: bytes = b"content", *, at_s: int | None = None) -> Path:
    assert write_receipt(str(shelf), name, content)
    if at_s is not None:
        os.utime(shelf / name, (at_s, at_s))
    return shelf / name


def test_what_was_written_is_read_and_nobody_else_may(shelf: Path) -> None:
    _written(shelf, "a")
    assert read_receipt(str(shelf), "a") == b"content"
    assert shelf.stat().st_mode & 0o7777 == 0o700
    assert (shelf / "a").stat().st_mode & 0o7777 == 0o600
    assert os.listdir(shelf) == ["a"]


def test_what_is_not_there_is_none(shelf: Path) -> None:
    assert read_receipt(str(shelf), "a") is None
    assert newest_receipt(str(shelf), "a") is None
    _written(shelf, "a")
    assert read_receipt(str(shelf), "b") is None
    assert newest_receipt(str(shelf), "b") is None


def test_a_new_receipt_replaces_the_old_one(shelf: Path) -> None:
    _written(shelf, "a", b"old")
    _written(shelf, "a", b"new")
    assert read_receipt(str(shelf), "a") == b"new"
    assert os.listdir(shelf) == ["a"]


def test_the_newest_of_a_directory_is_found(shelf: Path) -> None:
    _written(shelf, "one-a", b"first", at_s=1)
    _written(shelf, "one-b", b"last", at_s=3)
    _written(shelf, "one-c", b"second", at_s=2)
    _written(shelf, "other-a", b"elsewhere", at_s=4)
    assert newest_receipt(str(shelf), "one") == b"last"


# -- whom not to believe ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_directory_that_others_may_write_is_not_believed(shelf: Path, mode: int) -> None:
    _written(shelf, "a")
    shelf.chmod(mode)
    assert read_receipt(str(shelf), "a") is None
    assert newest_receipt(str(shelf), "a") is None
    assert not write_receipt(str(shelf), "a", b"new")


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_receipt_that_others_may_write_is_not_believed(shelf: Path, mode: int) -> None:
    _written(shelf, "a").chmod(mode)
    assert read_receipt(str(shelf), "a") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("given", ["directory", "receipt"])
def test_what_belongs_to_somebody_else_is_not_believed(shelf: Path, given: str) -> None:
    receipt = _written(shelf, "a")
    os.chown(shelf if given == "directory" else receipt, 65534, 65534)
    assert read_receipt(str(shelf), "a") is None


def test_a_link_is_not_followed_to_a_directory_or_a_receipt(shelf: Path) -> None:
    elsewhere = shelf.with_name("elsewhere")
    _written(elsewhere, "a")
    shelf.symlink_to(elsewhere)
    assert read_receipt(str(shelf), "a") is None
    assert not write_receipt(str(shelf), "b", b"content")
    (elsewhere / "b").symlink_to("a")
    assert read_receipt(str(elsewhere), "b") is None


def test_what_is_no_file_is_not_waited_for(shelf: Path) -> None:
    _written(shelf, "a")
    os.mkfifo(shelf / "fifo", 0o600)
    (shelf / "directory").mkdir()
    assert read_receipt(str(shelf), "fifo") is None
    assert read_receipt(str(shelf), "directory") is None
    assert newest_receipt(str(shelf), "fifo") is None


def test_a_receipt_too_long_to_be_one_is_not_read_nor_written(shelf: Path) -> None:
    os.truncate(_written(shelf, "a"), MAX_RECEIPT_BYTES + 1)
    assert read_receipt(str(shelf), "a") is None
    assert not write_receipt(str(shelf), "b", bytes(MAX_RECEIPT_BYTES + 1))
    assert not (shelf / "b").exists()


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_the_oldest_make_room_for_one_too_many(shelf: Path) -> None:
    for number in range(MAX_RECEIPTS):
        _written(shelf, f"{number:03}", at_s=1_000 + number)
    _written(shelf, "new")
    names = set(os.listdir(shelf))
    assert len(names) == MAX_RECEIPTS
    assert "000" not in names
    assert {"001", "new"} <= names


def test_the_oldest_make_room_for_too_many_bytes(shelf: Path) -> None:
    for number in range(5):
        path = _written(shelf, str(number))
        os.truncate(path, MAX_TOTAL_BYTES // 4)
        os.utime(path, (1_000 + number, 1_000 + number))
    _written(shelf, "new")
    assert sorted(os.listdir(shelf)) == ["2", "3", "4", "new"]


def test_what_a_killed_process_left_grows_old_and_goes(shelf: Path) -> None:
    _written(shelf, "a")
    for number in range(MAX_RECEIPTS):
        left = shelf / f"{number}.tmp"
        left.write_bytes(b"half")
        os.utime(left, (number, number))
    _written(shelf, "b")
    assert len(os.listdir(shelf)) == MAX_RECEIPTS
    assert {"a", "b"} <= set(os.listdir(shelf))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not write_receipt(str(tmp_path / "file" / "receipts"), "a", b"content")
    assert read_receipt(str(tmp_path / "file" / "receipts"), "a") is None


def test_a_receipt_that_cannot_be_put_in_place_leaves_nothing(shelf: Path) -> None:
    _written(shelf, "a")
    (shelf / "directory" / "in-the-way").mkdir(parents=True)
    assert not write_receipt(str(shelf), "directory", b"content")
    assert sorted(os.listdir(shelf)) == ["a", "directory"]
