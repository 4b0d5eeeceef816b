"""Recorded directories and files: everything that was asked becomes a fact, everything that was changed spoils."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from agent_sync.adapters.files import read_file
from agent_sync.adapters.recording import RecordedDirectory, recorded
from agent_sync.errors import FileSystemError
from agent_sync.ports import Directory, World
from agent_sync.receipt.facts import Facts, StatKey
from agent_sync.receipt.recorder import Recorder
from agent_sync.receipt.replay import files_unchanged
from agent_sync.tree import ROOT, RelPath
from tests.builders.receipts import LATER_NS, facts_of, key_at, sha256_of

A, MISSING = RelPath("directory/a"), RelPath("directory/missing")
IN_TABLES = ("program", "roots", "directories", "listings", "followed", "hashed", "trusted", "seen")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    (place / "directory" / "deep").mkdir(parents=True)
    (place / "directory" / "a").write_text("a")
    (place / "directory" / "deep" / "b").write_text("b")
    (place / "directory" / "link").symlink_to("a")
    return place


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(started_ns=LATER_NS)


@pytest.fixture
def directory(place: Path, recorder: Recorder) -> RecordedDirectory:
    return RecordedDirectory(str(place), recorder)


def noted(recorder: Recorder, place: Path) -> dict[str, set[str]]:
    """The paths in each table, relative to the place."""
    facts = facts_of(recorder)
    tables = dict(zip(IN_TABLES, facts.tables(), strict=False))
    found = {name: table.paths.decode() for name, table in tables.items()}
    for name in ("hashed", "trusted", "seen"):
        found[name] = "\0".join(getattr(half, name).paths.decode() for half in facts.halves)
    return {name: {os.path.relpath(path, place) for path in text.split("\0") if path} for name, text in found.items()}


def assert_holds_until_changed(facts: Facts, change: Callable[[], object]) -> None:
    assert files_unchanged(facts, racy_ns=1)
    change()
    assert not files_unchanged(facts, racy_ns=1)


# -- what is asked becomes a fact ------------------------------------------------------------------------------------


def test_opening_it_notes_the_directory_itself(directory: RecordedDirectory, recorder: Recorder, place: Path) -> None:
    assert directory.stat(ROOT) is not None
    assert noted(recorder, place) == {name: {"."} if name == "roots" else set() for name in IN_TABLES}


def test_a_stat_notes_what_stands_there_and_the_way_to_it(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    directory.stat(RelPath("directory/deep/b"))
    directory.stat(RelPath("directory/link"))
    found = noted(recorder, place)
    assert found["seen"] == {"directory/deep/b", "directory/link"}
    assert found["directories"] == {"directory", "directory/deep"}
    assert_holds_until_changed(facts_of(recorder), lambda: (place / "directory/link").unlink())


def test_what_is_not_there_is_noted_and_the_directory_where_it_is_not(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    assert directory.stat(MISSING) is None
    assert directory.stat(RelPath("none/below")) is None
    assert directory.names(RelPath("no-directory")) == ()
    found = noted(recorder, place)
    assert found["seen"] == {"directory/missing", "none/below", "none", "no-directory"}
    assert found["directories"] == {"directory"}
    assert_holds_until_changed(facts_of(recorder), lambda: (place / "no-directory").mkdir())


def test_a_missing_path_is_not_looked_for_through_a_link(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    """Where the directory becomes a link to a place that lacks the file too, the full run would refuse the link."""
    directory.stat(MISSING)
    moved = place / "moved"

    def swap() -> None:
        (place / "directory").rename(moved)
        (place / "directory").symlink_to(moved)

    assert_holds_until_changed(facts_of(recorder), swap)


def test_names_are_noted(directory: RecordedDirectory, recorder: Recorder, place: Path) -> None:
    assert directory.names(RelPath("directory")) == ("a", "deep", "link")
    assert noted(recorder, place)["listings"] == {"directory"}
    assert_holds_until_changed(facts_of(recorder), (place / "directory" / "new").touch)


def test_a_file_that_is_opened_is_trusted_later(directory: RecordedDirectory, recorder: Recorder, place: Path) -> None:
    with directory.open(A) as file:
        assert file.read() == b"a"
    assert noted(recorder, place)["trusted"] == {"directory/a"}
    assert recorder.key(str(place / A)) == key_at(place / A)
    assert_holds_until_changed(facts_of(recorder), lambda: (place / A).write_text("b"))


@pytest.mark.parametrize(("trusting", "table"), [(True, "trusted"), (False, "hashed")])
def test_a_digest_is_noted_as_it_was_asked_for(
    directory: RecordedDirectory, recorder: Recorder, place: Path, *, trusting: bool, table: str
) -> None:
    assert directory.digest(A, trusting=trusting) == sha256_of(place / A)
    found = noted(recorder, place)
    assert found[table] == {"directory/a"}
    assert found["directories"] == {"directory"}
    assert_holds_until_changed(facts_of(recorder), lambda: (place / A).write_text("b"))


def test_a_directory_below_notes_into_the_same_notes(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    below = directory.below(RelPath("directory/deep"))
    assert isinstance(below, RecordedDirectory)
    below.stat(RelPath("b"))
    below.stat(RelPath("c"))
    found = noted(recorder, place)
    assert found["seen"] == {"directory/deep/b", "directory/deep/c"}
    assert found["directories"] == {"directory", "directory/deep"}


def test_what_a_stat_cannot_tell_apart_spoils(directory: RecordedDirectory, recorder: Recorder, place: Path) -> None:
    os.mkfifo(place / "fifo")
    directory.stat(RelPath("fifo"))
    assert recorder.invalidated


def test_a_change_between_two_looks_spoils(directory: RecordedDirectory, recorder: Recorder, place: Path) -> None:
    directory.stat(A)
    (place / A).write_text("longer")
    directory.stat(A)
    assert recorder.invalidated


def test_a_change_after_the_look_and_before_the_digest_never_holds(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    directory.stat(A)
    (place / A).write_text("longer")
    directory.digest(A)
    assert not files_unchanged(facts_of(recorder), racy_ns=1)


# -- what is known is not read again ---------------------------------------------------------------------------------


def _knowing(place: Path, key: StatKey) -> tuple[RecordedDirectory, Recorder]:
    recorder = Recorder(started_ns=LATER_NS, known=lambda: {str(place / A): (key, "k" * 64)})
    return RecordedDirectory(str(place), recorder), recorder


def test_with_trust_a_file_with_a_known_key_is_not_read(place: Path) -> None:
    directory, _ = _knowing(place, key_at(place / A))
    assert directory.digest(A, trusting=True) == "k" * 64


def test_without_trust_it_is(place: Path) -> None:
    directory, _ = _knowing(place, key_at(place / A))
    assert directory.digest(A) == sha256_of(place / A)


def test_a_file_that_was_touched_since_is_read(place: Path) -> None:
    directory, _ = _knowing(place, key_at(place / A))
    (place / A).write_text("b")
    assert directory.digest(A, trusting=True) == sha256_of(place / A)


# -- what changes something spoils -----------------------------------------------------------------------------------

_X = RelPath("x")
CHANGES: dict[str, Callable[[Directory], object]] = {
    "create": lambda directory: directory.create(_X, (b"",)),
    "open_new": lambda directory: directory.open_new(_X).close(),
    "replace": lambda directory: directory.replace(_X, b""),
    "rename": lambda directory: directory.rename(A, _X),
    "link": lambda directory: directory.link(A, _X),
    "remove": lambda directory: directory.remove(A),
    "make_directory": lambda directory: directory.make_directory(_X),
    "remove_directory": lambda directory: directory.remove_directory(RelPath("empty")),
    "lock": lambda directory: directory.lock(_X).__enter__(),
    "chunks": lambda directory: directory.chunks(A),  # only for what is then written somewhere
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_changes_something_leaves_no_receipt(
    directory: RecordedDirectory, recorder: Recorder, change: str
) -> None:
    CHANGES[change](directory)
    assert recorder.invalidated


def test_every_way_to_change_something_is_tried_here() -> None:
    reading = {"stat", "names", "open", "digest", "below", "flush", "fsync_directory", "name"}
    assert {name for name in vars(Directory) if not name.startswith("_")} == CHANGES.keys() | reading


def test_taking_a_lock_that_is_there_changes_nothing(
    directory: RecordedDirectory, recorder: Recorder, place: Path
) -> None:
    (place / "lock").touch()
    with directory.lock(RelPath("lock")):
        assert not recorder.invalidated


def test_making_a_directory_that_is_there_changes_nothing(directory: RecordedDirectory, recorder: Recorder) -> None:
    directory.make_directory(RelPath("directory/deep"))
    assert not recorder.invalidated


# -- the rest of the world -------------------------------------------------------------------------------------------


class Port:
    """Stands for any other way out."""

    name = "/store"

    def remember(self) -> str:
        return "remembered"

    def use(self) -> str:
        return "used"


@pytest.fixture
def world(place: Path, recorder: Recorder) -> World:
    port = cast(Any, Port())
    bare = World(
        project=RecordedDirectory(str(place), Recorder(started_ns=0)),
        store=port,
        roots=port,
        records=port,
        scratch=port.use,
        git=port,
        fetcher=port,
        registries=port,
        runner=port,
        signatures=port,
        nix=port,
        clock=port,
        at=cast(Any, None),
        read_file=read_file,
    )
    return recorded(bare, recorder)


@pytest.mark.parametrize("port", ["store", "records", "git", "fetcher", "registries", "runner", "signatures", "nix"])
def test_using_what_cannot_be_asked_again_spoils_and_works(world: World, recorder: Recorder, port: str) -> None:
    assert not recorder.invalidated
    assert getattr(world, port).use() == "used"
    assert recorder.invalidated


def test_scratch_spoils_when_it_is_used(world: World, recorder: Recorder) -> None:
    assert not recorder.invalidated
    assert cast(Any, world.scratch()) == "used"
    assert recorder.invalidated


def test_the_cache_may_be_told_which_lock_is_in_use(world: World, recorder: Recorder) -> None:
    roots: Any = world.roots
    assert (world.store.name, roots.remember()) == ("/store", "remembered")
    assert not recorder.invalidated


def test_a_directory_elsewhere_is_recorded_too(world: World, recorder: Recorder, place: Path) -> None:
    world.at(str(place / "directory")).stat(RelPath("a"))
    assert noted(recorder, place)["roots"] == {".", "directory"}
    assert noted(recorder, place)["seen"] == {"directory/a"}


def test_a_configuration_file_is_noted_through_links(world: World, recorder: Recorder, place: Path) -> None:
    assert world.read_file(str(place / "directory" / "link")) == b"a"
    assert world.read_file(str(place / "none.yaml")) is None
    assert noted(recorder, place)["followed"] == {"directory/link", "none.yaml"}
    assert_holds_until_changed(facts_of(recorder), lambda: (place / A).write_text("b"))


def test_a_configuration_file_that_appears_is_noticed(world: World, recorder: Recorder, place: Path) -> None:
    world.read_file(str(place / "none.yaml"))
    assert_holds_until_changed(facts_of(recorder), (place / "none.yaml").touch)


def test_a_configuration_that_is_no_file_is_a_fault_as_ever(world: World, place: Path) -> None:
    with pytest.raises(FileSystemError):
        world.read_file(str(place / "directory"))
