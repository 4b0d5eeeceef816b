"""Local edits that were replaced: none is lost, none overwrites another, the newest comes back."""

from __future__ import annotations

import pytest

from agent_sync.checkout import Checkout, KeptEdits
from agent_sync.errors import FileSystemError, UnsafePath, UsageError
from agent_sync.ports import Kind
from agent_sync.tree import RelPath
from tests.builders.directories import files_of, read
from tests.fakes.directory import MemoryDirectory

PATH = RelPath("a/b.md")


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def kept(directory: MemoryDirectory) -> KeptEdits:
    return Checkout(directory).kept


def take(
    directory: MemoryDirectory, content: str, *, now_s: float = 1e9, path: str = PATH, executable: bool = False
) -> None:
    directory.put("spot", content, executable=executable)
    Checkout(directory).kept.take(RelPath(path), name=RelPath("spot"), directory=directory, now_s=now_s)


def test_kept_edits_are_listed_oldest_first_with_path_and_time(directory: MemoryDirectory, kept: KeptEdits) -> None:
    take(directory, "one", now_s=0)
    take(directory, "two", path="c.md", now_s=1_700_000_000.9)
    assert [(edit.number, edit.path, edit.when, read(directory, edit.place)) for edit in kept.all()] == [
        (1, "a/b.md", "19700101T000000Z", "one"),
        (2, "c.md", "20231114T221320Z", "two"),
    ]
    assert directory.stat(RelPath("spot")) is None


@pytest.mark.parametrize("times", [(3.0, 2.0, 1.0), (5.0, 5.0, 5.0), (-4e9, 4.1e9, 1e30)])
def test_the_newest_is_the_one_kept_last_whatever_the_clock_says(
    directory: MemoryDirectory, kept: KeptEdits, times: tuple[float, ...]
) -> None:
    for number, now_s in enumerate(times):
        take(directory, f"edit {number}", now_s=now_s)
    newest = kept.newest(PATH)
    assert newest is not None
    assert read(directory, newest.place) == "edit 2"
    assert len(kept.all()) == 3


def test_more_than_a_million_edits_stay_in_order(directory: MemoryDirectory, kept: KeptEdits) -> None:
    directory.put(".agent-sync/kept/999999-20230101T000000Z/a/b.md", "old")
    take(directory, "new")
    assert [edit.number for edit in kept.all()] == [999_999, 1_000_000]


def test_the_newest_edit_comes_back_and_then_the_one_before(directory: MemoryDirectory, kept: KeptEdits) -> None:
    take(directory, "one")
    take(directory, "two", executable=True)
    directory.put(PATH, "ours")
    assert kept.restore(PATH, keep_present=False, now_s=0).replaced is None
    assert files_of(directory)[PATH] == "*two"
    kept.restore(PATH, keep_present=False, now_s=0)
    assert files_of(directory) == {PATH: "one", ".agent-sync/kept/": ""}


def test_a_present_edit_is_kept_in_its_turn(directory: MemoryDirectory, kept: KeptEdits) -> None:
    take(directory, "one")
    directory.put(PATH, "another edit")
    restored = kept.restore(PATH, keep_present=True, now_s=0)
    assert restored.replaced is not None
    assert (read(directory, PATH), read(directory, restored.replaced.place)) == ("one", "another edit")


def test_an_edit_comes_back_where_nothing_stands_any_more(directory: MemoryDirectory, kept: KeptEdits) -> None:
    take(directory, "one")
    kept.restore(PATH, keep_present=True, now_s=0)
    assert read(directory, PATH) == "one"


def test_an_edit_crosses_file_systems_both_ways(directory: MemoryDirectory, kept: KeptEdits) -> None:
    directory.mount("a")
    directory.put(PATH, "one", executable=True)
    kept.take(PATH, name=RelPath("b.md"), directory=directory.below(RelPath("a")), now_s=0)
    assert list(files_of(directory)) == [".agent-sync/kept/000001-19700101T000000Z/a/b.md", "a/"]
    directory.put(PATH, "two")
    kept.restore(PATH, keep_present=True, now_s=0)
    assert files_of(directory) == {".agent-sync/kept/000002-19700101T000000Z/a/b.md": "two", PATH: "*one"}


def test_what_was_never_kept_cannot_be_restored(kept: KeptEdits) -> None:
    with pytest.raises(UsageError, match=r"a/b\.md") as caught:
        kept.restore(PATH, keep_present=True, now_s=0)
    assert caught.value.remedy


@pytest.mark.parametrize(("kind", "family"), [(Kind.LINK, UnsafePath), (Kind.DIRECTORY, FileSystemError)])
def test_an_edit_does_not_come_back_over_what_is_no_file(
    directory: MemoryDirectory, kept: KeptEdits, kind: Kind, family: type[Exception]
) -> None:
    take(directory, "one")
    directory.put_other(PATH, kind)
    with pytest.raises(family):
        kept.restore(PATH, keep_present=True, now_s=0)
    assert len(kept.all()) == 1


def test_strange_things_in_the_directory_are_no_edits(directory: MemoryDirectory, kept: KeptEdits) -> None:
    take(directory, "one")
    directory.put(".agent-sync/kept/notes.txt", "by hand")
    directory.put(".agent-sync/kept/000007-x/.git/hooks/pre-commit", "evil")
    directory.put_other(".agent-sync/kept/000008-x/link", Kind.LINK)
    directory.put_other(".agent-sync/kept/000009-x", Kind.LINK)
    assert [edit.path for edit in kept.all()] == [PATH]
    take(directory, "two")
    assert [edit.number for edit in kept.all()] == [1, 10]
