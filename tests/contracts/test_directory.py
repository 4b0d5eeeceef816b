"""What every Directory promises (ports.py): the one on the disk and the one that tests use in its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.errors import CrossDeviceLink, FileSystemError, ProjectBusy
from agent_sync.ports import Directory, Kind
from agent_sync.tree import ROOT, RelPath
from tests.builders.directories import KINDS_OF_DIRECTORY, a_directory, kind_of, outside, put_other, read, write
from tests.builders.trees import sha256
from tests.fakes.directory import MemoryDirectory


class Broken(Exception):
    """What a caller may raise while it writes."""


@pytest.fixture(params=KINDS_OF_DIRECTORY)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    return a_directory(request.param, tmp_path)


# -- looking ---------------------------------------------------------------------------------------------------------


def test_a_new_file_is_there_with_its_parents_and_its_content(directory: Directory) -> None:
    directory.create(RelPath("a/b/c.md"), (b"one", b"", b"two"))
    assert read(directory, "a/b/c.md") == "onetwo"
    assert (kind_of(directory, "a"), kind_of(directory, "a/b"), kind_of(directory, "a/b/c.md")) == (
        Kind.DIRECTORY,
        Kind.DIRECTORY,
        Kind.FILE,
    )


def test_stat_tells_size_and_executable_bit(directory: Directory) -> None:
    plain, program = (
        directory.stat(write(directory, "a", "12345")),
        directory.stat(write(directory, "b", executable=True)),
    )
    assert plain is not None
    assert program is not None
    assert (plain.size, plain.executable, program.executable) == (5, False, True)


def test_nothing_stands_where_nothing_was_made(directory: Directory) -> None:
    write(directory, "file")
    assert [directory.stat(RelPath(path)) for path in ("a", "a/b", "file/below")] == [None, None, None]
    assert directory.names(RelPath("a")) == directory.names(RelPath("file/below")) == ()


def test_the_directory_itself_stands_at_the_root(directory: Directory) -> None:
    assert kind_of(directory, ROOT) is Kind.DIRECTORY


def test_names_are_sorted_by_their_bytes(directory: Directory) -> None:
    for name in ("ü", "b", "Z", "a/below", "😀", "\uffdd"):
        write(directory, name)
    assert directory.names(ROOT) == ("Z", "a", "b", "ü", "\uffdd", "😀")


def test_the_names_in_a_file_are_a_fault(directory: Directory) -> None:
    with pytest.raises(FileSystemError):
        directory.names(write(directory, "file"))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_a_digest_is_that_of_all_bytes(directory: Directory, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    directory.create(RelPath("a"), (content,))
    assert directory.digest(RelPath("a")) == sha256(content)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_the_chunks_of_a_file_are_all_its_bytes(directory: Directory, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    directory.create(RelPath("a"), (content,))
    assert b"".join(directory.chunks(RelPath("a"))) == content


def test_a_missing_file_cannot_be_read(directory: Directory) -> None:
    for missing in ("a", "b/c"):
        with pytest.raises(FileSystemError):
            list(directory.chunks(RelPath(missing)))
        with pytest.raises(FileSystemError):
            directory.open(RelPath(missing))
        with pytest.raises(FileSystemError):
            directory.digest(RelPath(missing))


# -- writing ---------------------------------------------------------------------------------------------------------


def test_nothing_is_written_over_by_create(directory: Directory) -> None:
    path = write(directory, "a", "old")
    for make in (lambda: directory.create(path, (b"new",)), lambda: directory.open_new(path)):
        with pytest.raises(FileSystemError):
            make()
    assert read(directory, "a") == "old"


def test_half_a_file_does_not_stay(directory: Directory) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise Broken

    with pytest.raises(Broken):
        directory.create(RelPath("a"), chunks())
    assert directory.stat(RelPath("a")) is None


def test_a_file_is_written_piece_by_piece(directory: Directory) -> None:
    file = directory.open_new(RelPath("a/b"))
    file.write(b"one")
    file.write(b"two")
    file.flush()
    file.close()
    file.close()
    assert read(directory, "a/b") == "onetwo"


def test_replace_makes_a_file_or_gives_it_other_content(directory: Directory) -> None:
    directory.replace(RelPath("a/b"), b"one")
    directory.replace(RelPath("a/b"), b"two")
    assert read(directory, "a/b") == "two"
    assert directory.names(RelPath("a")) == ("b",)


def test_replace_does_not_write_through_another_name_of_the_file(directory: Directory) -> None:
    directory.link(write(directory, "a", "old"), RelPath("b"))
    directory.replace(RelPath("a"), b"new")
    assert (read(directory, "a"), read(directory, "b")) == ("new", "old")


# -- moving ----------------------------------------------------------------------------------------------------------


def test_rename_moves_and_replaces(directory: Directory) -> None:
    write(directory, "a", "new")
    write(directory, "b/c", "old")
    directory.rename(RelPath("a"), RelPath("b/c"))
    assert (directory.stat(RelPath("a")), read(directory, "b/c")) == (None, "new")


def test_rename_reaches_into_another_directory(directory: Directory) -> None:
    write(directory, "from/a", "text")
    directory.make_directory(RelPath("to"))
    directory.below(RelPath("from")).rename(RelPath("a"), RelPath("b"), into=directory.below(RelPath("to")))
    assert (read(directory, "to/b"), directory.names(RelPath("from"))) == ("text", ())


def test_rename_moves_a_whole_directory(directory: Directory) -> None:
    write(directory, "a/b/c")
    directory.rename(RelPath("a"), RelPath("d"))
    assert (read(directory, "d/b/c"), directory.stat(RelPath("a"))) == ("text", None)


def test_rename_moves_a_link_and_not_what_it_points_to(directory: Directory) -> None:
    put_other(directory, "link", Kind.LINK)
    directory.rename(RelPath("link"), RelPath("moved"))
    assert (kind_of(directory, "link"), kind_of(directory, "moved")) == (None, Kind.LINK)


@pytest.mark.parametrize(
    ("old", "new"),
    [("missing", "x"), ("file", "missing/x"), ("file", "directory"), ("directory", "file"), ("full", "directory")],
)
def test_a_rename_that_makes_no_sense_changes_nothing(directory: Directory, old: str, new: str) -> None:
    write(directory, "file")
    write(directory, "directory/inside")
    write(directory, "full/inside")
    with pytest.raises(FileSystemError):
        directory.rename(RelPath(old), RelPath(new))
    assert directory.names(ROOT) == ("directory", "file", "full")


def test_a_link_is_a_second_name_of_the_same_bytes_and_mode(directory: Directory) -> None:
    write(directory, "a", executable=True)
    directory.make_directory(RelPath("b"))
    directory.link(RelPath("a"), RelPath("c"), into=directory.below(RelPath("b")))
    stat = directory.stat(RelPath("b/c"))
    assert stat is not None
    assert (read(directory, "b/c"), stat.executable) == ("text", True)
    directory.remove(RelPath("a"))
    assert read(directory, "b/c") == "text"


def test_a_link_does_not_replace(directory: Directory) -> None:
    write(directory, "a", "one")
    write(directory, "b", "two")
    with pytest.raises(FileSystemError):
        directory.link(RelPath("a"), RelPath("b"))
    assert read(directory, "b") == "two"


# -- removing --------------------------------------------------------------------------------------------------------


def test_remove_removes_once_and_then_does_nothing(directory: Directory) -> None:
    path = write(directory, "a/b")
    for _ in range(2):
        directory.remove(path)
        assert directory.names(RelPath("a")) == ()
    directory.remove(RelPath("missing/too"))


def test_remove_removes_a_link_and_not_what_it_points_to(directory: Directory) -> None:
    put_other(directory, "link", Kind.LINK)
    pointee = Path("/") if isinstance(directory, MemoryDirectory) else outside(directory)
    directory.remove(RelPath("link"))
    assert kind_of(directory, "link") is None
    assert pointee.is_dir()


def test_remove_does_not_remove_a_directory(directory: Directory) -> None:
    directory.make_directory(RelPath("a"))
    with pytest.raises(FileSystemError):
        directory.remove(RelPath("a"))


def test_directories_that_were_made_are_told_outermost_first(directory: Directory) -> None:
    directory.make_directory(RelPath("a"))
    assert directory.make_directory(RelPath("a/b/c")) == ("a/b", "a/b/c")
    assert directory.make_directory(RelPath("a/b/c")) == ()


def test_a_directory_is_not_made_over_a_file(directory: Directory) -> None:
    write(directory, "a")
    for path in ("a", "a/b"):
        with pytest.raises(FileSystemError):
            directory.make_directory(RelPath(path))


def test_only_an_empty_directory_is_removed(directory: Directory) -> None:
    write(directory, "a/b")
    assert not directory.remove_directory(RelPath("a"))
    directory.remove(RelPath("a/b"))
    assert directory.remove_directory(RelPath("a"))
    assert directory.remove_directory(RelPath("a"))
    assert directory.stat(RelPath("a")) is None


def test_a_file_is_not_removed_as_a_directory(directory: Directory) -> None:
    with pytest.raises(FileSystemError):
        directory.remove_directory(write(directory, "a"))


def test_a_directory_below_stays_the_same_one_when_another_takes_its_name(directory: Directory) -> None:
    write(directory, "a/x", "first")
    below = directory.below(RelPath("a"))
    directory.rename(RelPath("a"), RelPath("b"))
    write(directory, "a/x", "second")
    assert read(below, "x") == "first"
    write(below, "y")
    assert (directory.names(RelPath("a")), directory.names(RelPath("b"))) == (("x",), ("x", "y"))


def test_flush_succeeds(directory: Directory) -> None:
    write(directory, "a/b")
    directory.flush()
    directory.below(RelPath("a")).flush()


# -- other file systems ----------------------------------------------------------------------------------------------


@pytest.fixture
def another_disk(directory: Directory, tmp_path: Path) -> Directory:
    """A directory that no rename from `directory` reaches."""
    if isinstance(directory, MemoryDirectory):
        directory.mount("mounted")
        return directory.below(RelPath("mounted"))
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to be had here")
    return DiskDirectory("/dev/shm")


def test_what_crosses_file_systems_says_so_and_changes_nothing(directory: Directory, another_disk: Directory) -> None:
    path = write(directory, "a")
    name = RelPath(f"agent-sync-test-{os.getpid()}")
    for move in (directory.rename, directory.link):
        with pytest.raises(CrossDeviceLink):
            move(path, name, into=another_disk)
    assert (read(directory, "a"), another_disk.stat(name)) == ("text", None)


# -- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_once(directory: Directory) -> None:
    with directory.lock(RelPath("a/lock")), pytest.raises(ProjectBusy), directory.lock(RelPath("a/lock")):
        pass
    with directory.lock(RelPath("a/lock")):
        pass


def test_a_shared_lock_is_held_by_many_and_keeps_the_others_out(directory: Directory) -> None:
    path = RelPath("lock")
    with (
        directory.lock(path, shared=True),
        directory.lock(path, shared=True),
        pytest.raises(ProjectBusy),
        directory.lock(path),
    ):
        pass
    with directory.lock(path), pytest.raises(ProjectBusy), directory.lock(path, shared=True):
        pass


def test_a_lock_is_given_back_when_its_holder_fails(directory: Directory) -> None:
    with pytest.raises(Broken), directory.lock(RelPath("lock")):
        raise Broken
    with directory.lock(RelPath("lock")):
        pass


def test_threads_write_side_by_side(directory: Directory) -> None:
    def work(number: int) -> None:
        for index in range(50):
            write(directory, f"{number}/{index}", str(index))
            assert directory.names(ROOT)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(directory.names(RelPath(str(number)))) for number in range(4)] == [50] * 4
