"""Facts hold as long as nothing changes, and no longer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.receipt.recorder import Recorder
from agent_sync.receipt.replay import environment_unchanged, files_unchanged, racy_from
from tests.builders.receipts import LATER_NS, facts_of, key_at, notes_of, same_tick, sha256_of

YOUNG_NS = racy_from(LATER_NS)


def holds(recorder: Recorder, *, racy_ns: int = YOUNG_NS) -> bool:
    return files_unchanged(facts_of(recorder), racy_ns=racy_ns)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "directory" / "file"
    path.parent.mkdir()
    path.write_text("text")
    return path


def everything_about(file: Path) -> dict[str, Recorder]:
    """Notes of each kind that a file can be in."""
    return {kind: notes_of(**{kind: [file]}) for kind in ("hashed", "trusted", "seen", "followed")}  # type: ignore[arg-type]


def _write(path: Path) -> None:
    path.write_text("TEXT")


def _write_and_set_the_times_back(path: Path) -> None:
    before = path.stat()
    path.write_text("TEXT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _write_through_a_hard_link(path: Path) -> None:
    other = path.with_name("other")
    os.link(path, other)
    other.write_text("TEXT")
    other.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("TEXT")
    other.replace(path)


def _swap_for_a_link(path: Path) -> None:
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)


def _make_executable(path: Path) -> None:
    path.chmod(0o755)


CHANGES = (
    *(_write, _write_and_set_the_times_back, _write_through_a_hard_link, _replace),
    *(_swap_for_a_link, _make_executable, Path.unlink),
)


def test_what_nobody_touches_holds(file: Path) -> None:
    missing = file.with_name("missing")
    recorder = notes_of(
        hashed=[file],
        seen=[missing, file / "below-a-file"],
        followed=[file, missing],
        directories=[file.parent],
        roots=[file.parent],
        listings=[file.parent],
    )
    assert holds(recorder)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["hashed", "trusted", "seen", "followed"])
def test_a_file_that_is_touched_does_not_hold(file: Path, kind: str, change: Callable[[Path], None]) -> None:
    recorder = everything_about(file)[kind]
    assert holds(recorder)
    change(file)
    assert not holds(recorder)


@pytest.mark.parametrize("kind", ["seen", "followed"])
def test_a_file_that_appears_does_not_hold(file: Path, kind: str) -> None:
    file.unlink()
    recorder = notes_of(**{kind: [file]})  # type: ignore[arg-type]
    assert holds(recorder)
    file.write_text("text")
    assert not holds(recorder)


def test_a_fifo_in_place_of_a_file_is_seen_and_not_waited_for(file: Path) -> None:
    facts = {kind: facts_of(recorder) for kind, recorder in everything_about(file).items()}
    file.unlink()
    os.mkfifo(file)
    assert not any(files_unchanged(each, racy_ns=0) for each in facts.values())


# -- young files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["trusted", "followed"])
def test_a_second_change_in_one_tick_is_found_where_the_key_is_young(file: Path, kind: str) -> None:
    """git calls such an entry racy: the key was taken between two changes that left the same one."""
    key, before = same_tick(file, _write)
    recorder = Recorder(started_ns=0)
    if kind == "trusted":
        recorder.read(str(file), key, before, trusting=True)
    else:
        recorder.followed(str(file), key, before)
    assert not holds(recorder, racy_ns=key[4])
    assert holds(recorder, racy_ns=key[4] + 1), "an old key is believed: else no file could be"


@pytest.mark.parametrize("kind", ["trusted", "followed"])
def test_a_young_file_with_the_bytes_that_were_noted_holds(file: Path, kind: str) -> None:
    assert holds(everything_about(file)[kind], racy_ns=0)


def test_what_is_to_be_hashed_each_time_is_hashed_however_old_its_key_is(file: Path) -> None:
    key, before = same_tick(file, _write)
    recorder = Recorder(started_ns=0)
    recorder.read(str(file), key, before, trusting=False)
    assert not holds(recorder)


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 65_537, 3_000_000])
def test_files_of_any_length_are_hashed_whole(file: Path, size: int) -> None:
    file.write_bytes(bytes(size))
    assert holds(notes_of(hashed=[file]))
    if size:
        key, before = same_tick(file, lambda path: path.write_bytes(bytes(size - 1) + b"x"))
        recorder = Recorder(started_ns=0)
        recorder.read(str(file), key, before, trusting=False)
        assert not holds(recorder)


# -- directories
# ---------------------------------------------------------------------------------------------------------


def test_a_name_that_comes_or_goes_is_found(file: Path) -> None:
    recorder = notes_of(listings=[file.parent])
    assert holds(recorder)
    other = file.with_name("other")
    other.touch()
    assert not holds(recorder)
    other.unlink()
    assert holds(recorder), "a directory in which something came and went again has the same names"
    file.unlink()
    assert not holds(recorder)


def test_a_name_that_came_in_the_tick_in_which_a_directory_was_listed_is_found(file: Path) -> None:
    recorder = Recorder(started_ns=0)
    file.with_name("other").touch()
    key = key_at(file.parent)
    recorder.listing(str(file.parent), key, ["file"])
    assert not holds(recorder, racy_ns=key[4])


@pytest.mark.parametrize("kind", ["directories", "roots", "listings"])
def test_another_directory_of_the_same_name_does_not_hold(file: Path, kind: str) -> None:
    recorder = notes_of(**{kind: [file.parent]})  # type: ignore[arg-type]
    assert holds(recorder)
    file.parent.rename(file.parent.with_name("moved"))
    assert not holds(recorder)
    file.parent.mkdir()
    file.touch()
    assert not holds(recorder)


@pytest.mark.parametrize("kind", ["directories", "listings"])
def test_a_directory_swapped_for_a_link_to_itself_does_not_hold(file: Path, kind: str) -> None:
    """Every file below has its old key: the directory alone tells."""
    recorder = notes_of(**{kind: [file.parent]}, trusted=[file])  # type: ignore[arg-type]
    moved = file.parent.with_name("moved")
    file.parent.rename(moved)
    file.parent.symlink_to(moved)
    assert holds(notes_of(trusted=[file]))
    assert not holds(recorder)


def test_a_root_is_reached_through_links_and_must_lead_to_the_same_place(file: Path) -> None:
    link = file.parent.with_name("link")
    link.symlink_to(file.parent)
    recorder = notes_of(roots=[link])
    assert holds(recorder)
    link.unlink()
    link.symlink_to(file.parent.parent)
    assert not holds(recorder)


def test_what_is_in_a_directory_that_was_only_passed_through_does_not_matter(file: Path) -> None:
    recorder = notes_of(directories=[file.parent], roots=[file.parent])
    file.with_name("other").touch()
    assert holds(recorder)


# -- the rest --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Enough files for two processes; making them takes longer than looking at them."""
    directory = tmp_path_factory.mktemp("many")
    files = [directory / f"{number:04}" for number in range(1_100)]
    for path in files:
        path.write_text(path.name)
    return files


@pytest.mark.parametrize("changed", [0, 600, 1_099])
@pytest.mark.parametrize("kind", ["hashed", "trusted", "seen"])
def test_many_files_are_compared_by_two_processes_and_each_sees_its_own(
    many: list[Path], kind: str, changed: int
) -> None:
    recorder = notes_of(**{kind: many})  # type: ignore[arg-type]
    before = _children()
    assert holds(recorder)
    many[changed].write_text(f"{kind} {changed}")
    assert not holds(recorder)
    assert _children() == before


def _children() -> set[str]:
    """The processes that this one has started and not waited for; a registry that other tests use may be among them."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.mark.parametrize("gone", [0, 1_099])
def test_a_file_that_is_gone_is_missed_by_either_process(many: list[Path], gone: int) -> None:
    recorder = notes_of(hashed=many)
    many[gone].unlink()
    assert not holds(recorder)
    many[gone].touch()


def test_paths_are_walked_from_the_directory_where_the_question_was_asked(file: Path) -> None:
    facts = facts_of(notes_of(trusted=[file], directories=[file.parent]), directory=str(file.parent.parent))
    assert b"".join(half.trusted.paths for half in facts.halves) == b"directory/file"
    before = os.getcwd()
    try:
        os.chdir(file.parent.parent)
        assert files_unchanged(facts, racy_ns=YOUNG_NS)
    finally:
        os.chdir(before)


def test_the_program_itself_is_a_fact(file: Path) -> None:
    receipt = Recorder(started_ns=0).receipt("question", [str(file)], created_s=0, directory="/nowhere")
    assert receipt is not None
    assert files_unchanged(receipt.facts, racy_ns=YOUNG_NS)
    _write(file)
    assert not files_unchanged(receipt.facts, racy_ns=YOUNG_NS)


@pytest.mark.parametrize("changed", [{}, {"A": "other"}, {"A": "1", "B": ""}])
def test_a_variable_that_was_looked_at_must_be_as_it_was(changed: dict[str, str]) -> None:
    recorder = Recorder(started_ns=0)
    variables = recorder.environment({"A": "1", "UNREAD": "1"})
    assert (variables.get("A"), variables.get("B")) == ("1", None)
    facts = facts_of(recorder)
    assert environment_unchanged(facts, {"A": "1", "UNREAD": "2"})
    assert not environment_unchanged(facts, changed)


def test_the_builder_notes_what_the_disk_has(file: Path) -> None:
    key, before = same_tick(file, _write)
    assert key == key_at(file)
    assert before != sha256_of(file)
