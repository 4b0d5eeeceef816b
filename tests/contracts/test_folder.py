"""What every Folder promises (ports.py): the one on the disk and the one that tests use in its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync.adapters.folder import DiskFolder
from agent_sync.errors import CrossesFileSystems, FileFault, ProjectBusy
from agent_sync.ports import Folder, Kind
from agent_sync.tree import ROOT, RelPath
from tests.builders.folders import KINDS_OF_FOLDER, a_folder, kind_of, outside, put_other, read, write
from tests.builders.trees import sha256
from tests.fakes.folder import MemoryFolder


class Broken(Exception):
    """What a caller may raise while it writes."""


@pytest.fixture(params=KINDS_OF_FOLDER)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return a_folder(request.param, tmp_path)


# -- looking ---------------------------------------------------------------------------------------------------------


def test_a_new_file_is_there_with_its_parents_and_its_content(folder: Folder) -> None:
    folder.create(RelPath("a/b/c.md"), (b"one", b"", b"two"))
    assert read(folder, "a/b/c.md") == "onetwo"
    assert (kind_of(folder, "a"), kind_of(folder, "a/b"), kind_of(folder, "a/b/c.md")) == (
        Kind.FOLDER,
        Kind.FOLDER,
        Kind.FILE,
    )


def test_stat_tells_size_and_executable_bit(folder: Folder) -> None:
    plain, program = folder.stat(write(folder, "a", "12345")), folder.stat(write(folder, "b", executable=True))
    assert plain is not None
    assert program is not None
    assert (plain.size, plain.executable, program.executable) == (5, False, True)


def test_nothing_stands_where_nothing_was_made(folder: Folder) -> None:
    write(folder, "file")
    assert [folder.stat(RelPath(path)) for path in ("a", "a/b", "file/below")] == [None, None, None]
    assert folder.names(RelPath("a")) == folder.names(RelPath("file/below")) == ()


def test_the_folder_itself_stands_at_the_root(folder: Folder) -> None:
    assert kind_of(folder, ROOT) is Kind.FOLDER


def test_names_are_sorted_by_their_bytes(folder: Folder) -> None:
    for name in ("ü", "b", "Z", "a/below", "😀", "\uffdd"):
        write(folder, name)
    assert folder.names(ROOT) == ("Z", "a", "b", "ü", "\uffdd", "😀")


def test_the_names_in_a_file_are_a_fault(folder: Folder) -> None:
    with pytest.raises(FileFault):
        folder.names(write(folder, "file"))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_a_digest_is_that_of_all_bytes(folder: Folder, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    folder.create(RelPath("a"), (content,))
    assert folder.digest(RelPath("a")) == sha256(content)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_the_chunks_of_a_file_are_all_its_bytes(folder: Folder, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    folder.create(RelPath("a"), (content,))
    assert b"".join(folder.chunks(RelPath("a"))) == content


def test_a_missing_file_cannot_be_read(folder: Folder) -> None:
    for missing in ("a", "b/c"):
        with pytest.raises(FileFault):
            list(folder.chunks(RelPath(missing)))
        with pytest.raises(FileFault):
            folder.open(RelPath(missing))
        with pytest.raises(FileFault):
            folder.digest(RelPath(missing))


# -- writing ---------------------------------------------------------------------------------------------------------


def test_nothing_is_written_over_by_create(folder: Folder) -> None:
    path = write(folder, "a", "old")
    for make in (lambda: folder.create(path, (b"new",)), lambda: folder.open_new(path)):
        with pytest.raises(FileFault):
            make()
    assert read(folder, "a") == "old"


def test_half_a_file_does_not_stay(folder: Folder) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise Broken

    with pytest.raises(Broken):
        folder.create(RelPath("a"), chunks())
    assert folder.stat(RelPath("a")) is None


def test_a_file_is_written_piece_by_piece(folder: Folder) -> None:
    file = folder.open_new(RelPath("a/b"))
    file.write(b"one")
    file.write(b"two")
    file.flush()
    file.close()
    file.close()
    assert read(folder, "a/b") == "onetwo"


def test_replace_makes_a_file_or_gives_it_other_content(folder: Folder) -> None:
    folder.replace(RelPath("a/b"), b"one")
    folder.replace(RelPath("a/b"), b"two")
    assert read(folder, "a/b") == "two"
    assert folder.names(RelPath("a")) == ("b",)


def test_replace_does_not_write_through_another_name_of_the_file(folder: Folder) -> None:
    folder.link(write(folder, "a", "old"), RelPath("b"))
    folder.replace(RelPath("a"), b"new")
    assert (read(folder, "a"), read(folder, "b")) == ("new", "old")


# -- moving ----------------------------------------------------------------------------------------------------------


def test_rename_moves_and_replaces(folder: Folder) -> None:
    write(folder, "a", "new")
    write(folder, "b/c", "old")
    folder.rename(RelPath("a"), RelPath("b/c"))
    assert (folder.stat(RelPath("a")), read(folder, "b/c")) == (None, "new")


def test_rename_reaches_into_another_folder(folder: Folder) -> None:
    write(folder, "from/a", "text")
    folder.make_folder(RelPath("to"))
    folder.below(RelPath("from")).rename(RelPath("a"), RelPath("b"), into=folder.below(RelPath("to")))
    assert (read(folder, "to/b"), folder.names(RelPath("from"))) == ("text", ())


def test_rename_moves_a_whole_folder(folder: Folder) -> None:
    write(folder, "a/b/c")
    folder.rename(RelPath("a"), RelPath("d"))
    assert (read(folder, "d/b/c"), folder.stat(RelPath("a"))) == ("text", None)


def test_rename_moves_a_link_and_not_what_it_points_to(folder: Folder) -> None:
    put_other(folder, "link", Kind.LINK)
    folder.rename(RelPath("link"), RelPath("moved"))
    assert (kind_of(folder, "link"), kind_of(folder, "moved")) == (None, Kind.LINK)


@pytest.mark.parametrize(
    ("old", "new"),
    [("missing", "x"), ("file", "missing/x"), ("file", "folder"), ("folder", "file"), ("full", "folder")],
)
def test_a_rename_that_makes_no_sense_changes_nothing(folder: Folder, old: str, new: str) -> None:
    write(folder, "file")
    write(folder, "folder/inside")
    write(folder, "full/inside")
    with pytest.raises(FileFault):
        folder.rename(RelPath(old), RelPath(new))
    assert folder.names(ROOT) == ("file", "folder", "full")


def test_a_link_is_a_second_name_of_the_same_bytes_and_mode(folder: Folder) -> None:
    write(folder, "a", executable=True)
    folder.make_folder(RelPath("b"))
    folder.link(RelPath("a"), RelPath("c"), into=folder.below(RelPath("b")))
    stat = folder.stat(RelPath("b/c"))
    assert stat is not None
    assert (read(folder, "b/c"), stat.executable) == ("text", True)
    folder.remove(RelPath("a"))
    assert read(folder, "b/c") == "text"


def test_a_link_does_not_replace(folder: Folder) -> None:
    write(folder, "a", "one")
    write(folder, "b", "two")
    with pytest.raises(FileFault):
        folder.link(RelPath("a"), RelPath("b"))
    assert read(folder, "b") == "two"


# -- removing --------------------------------------------------------------------------------------------------------


def test_remove_removes_once_and_then_does_nothing(folder: Folder) -> None:
    path = write(folder, "a/b")
    for _ in range(2):
        folder.remove(path)
        assert folder.names(RelPath("a")) == ()
    folder.remove(RelPath("missing/too"))


def test_remove_removes_a_link_and_not_what_it_points_to(folder: Folder) -> None:
    put_other(folder, "link", Kind.LINK)
    pointee = Path("/") if isinstance(folder, MemoryFolder) else outside(folder)
    folder.remove(RelPath("link"))
    assert kind_of(folder, "link") is None
    assert pointee.is_dir()


def test_remove_does_not_remove_a_folder(folder: Folder) -> None:
    folder.make_folder(RelPath("a"))
    with pytest.raises(FileFault):
        folder.remove(RelPath("a"))


def test_folders_that_were_made_are_told_outermost_first(folder: Folder) -> None:
    folder.make_folder(RelPath("a"))
    assert folder.make_folder(RelPath("a/b/c")) == ("a/b", "a/b/c")
    assert folder.make_folder(RelPath("a/b/c")) == ()


def test_a_folder_is_not_made_over_a_file(folder: Folder) -> None:
    write(folder, "a")
    for path in ("a", "a/b"):
        with pytest.raises(FileFault):
            folder.make_folder(RelPath(path))


def test_only_an_empty_folder_is_removed(folder: Folder) -> None:
    write(folder, "a/b")
    assert not folder.remove_folder(RelPath("a"))
    folder.remove(RelPath("a/b"))
    assert folder.remove_folder(RelPath("a"))
    assert folder.remove_folder(RelPath("a"))
    assert folder.stat(RelPath("a")) is None


def test_a_file_is_not_removed_as_a_folder(folder: Folder) -> None:
    with pytest.raises(FileFault):
        folder.remove_folder(write(folder, "a"))


def test_a_folder_below_stays_the_same_one_when_another_takes_its_name(folder: Folder) -> None:
    write(folder, "a/x", "first")
    below = folder.below(RelPath("a"))
    folder.rename(RelPath("a"), RelPath("b"))
    write(folder, "a/x", "second")
    assert read(below, "x") == "first"
    write(below, "y")
    assert (folder.names(RelPath("a")), folder.names(RelPath("b"))) == (("x",), ("x", "y"))


def test_flush_succeeds(folder: Folder) -> None:
    write(folder, "a/b")
    folder.flush()
    folder.below(RelPath("a")).flush()


# -- other file systems ----------------------------------------------------------------------------------------------


@pytest.fixture
def another_disk(folder: Folder, tmp_path: Path) -> Folder:
    """A folder that no rename from `folder` reaches."""
    if isinstance(folder, MemoryFolder):
        folder.mount("mounted")
        return folder.below(RelPath("mounted"))
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to be had here")
    return DiskFolder("/dev/shm")


def test_what_crosses_file_systems_says_so_and_changes_nothing(folder: Folder, another_disk: Folder) -> None:
    path = write(folder, "a")
    name = RelPath(f"agent-sync-test-{os.getpid()}")
    for move in (folder.rename, folder.link):
        with pytest.raises(CrossesFileSystems):
            move(path, name, into=another_disk)
    assert (read(folder, "a"), another_disk.stat(name)) == ("text", None)


# -- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_once(folder: Folder) -> None:
    with folder.lock(RelPath("a/lock")), pytest.raises(ProjectBusy), folder.lock(RelPath("a/lock")):
        pass
    with folder.lock(RelPath("a/lock")):
        pass


def test_a_shared_lock_is_held_by_many_and_keeps_the_others_out(folder: Folder) -> None:
    path = RelPath("lock")
    with folder.lock(path, shared=True), folder.lock(path, shared=True), pytest.raises(ProjectBusy), folder.lock(path):
        pass
    with folder.lock(path), pytest.raises(ProjectBusy), folder.lock(path, shared=True):
        pass


def test_a_lock_is_given_back_when_its_holder_fails(folder: Folder) -> None:
    with pytest.raises(Broken), folder.lock(RelPath("lock")):
        raise Broken
    with folder.lock(RelPath("lock")):
        pass


def test_threads_write_side_by_side(folder: Folder) -> None:
    def work(number: int) -> None:
        for index in range(50):
            write(folder, f"{number}/{index}", str(index))
            assert folder.names(ROOT)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(folder.names(RelPath(str(number)))) for number in range(4)] == [50] * 4
