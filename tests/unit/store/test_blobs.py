"""The store on the disk: where things lie, what is never touched again, what happens to what does not belong there."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from agent_sync.adapters.private_directory import private_directory
from agent_sync.errors import FileSystemError
from agent_sync.ports import Directory, NewFile
from agent_sync.ports.files import sweep
from agent_sync.store.blobs import DiskStore
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.stores import DAY_S, TODAY_S, StoppedClock, a_disk_store, place, put


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "agent-sync"


@pytest.fixture
def store(directory: Path) -> DiskStore:
    return a_disk_store(directory)


def files_below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


def test_nothing_is_made_before_the_store_is_used(directory: Path) -> None:
    a_disk_store(directory)
    assert not directory.exists()


def test_looking_into_a_store_that_is_not_there_makes_none(directory: Path, store: DiskStore) -> None:
    assert store.size(Digest.of(b"x")) is None
    assert store.digests() == ()
    assert store.roots() == ()
    assert store.total_bytes() == 0
    store.set_aside(Digest.of(b"x"))
    assert store.name == str(directory)
    assert not directory.parent.exists()


def test_a_store_that_another_process_has_made_meanwhile_is_found(directory: Path, store: DiskStore) -> None:
    assert store.size(Digest.of(b"blob")) is None
    put(b"blob", a_disk_store(directory))
    assert store.size(Digest.of(b"blob")) == 4


def test_the_directory_is_an_oci_image_layout_that_only_its_user_can_enter(directory: Path, store: DiskStore) -> None:
    digest = put(b"blob", store)
    assert files_below(directory) == {"oci-layout", "index.json", "lock", f"blobs/sha256/{digest.hex}"}
    assert json.loads((directory / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((directory / "index.json").read_bytes())["manifests"] == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert store.name == str(directory)


def test_a_blob_that_has_its_name_is_never_written_again(directory: Path, store: DiskStore) -> None:
    digest = put(b"blob", store)
    before = place(directory, digest).stat()
    assert put(b"blob", store) == digest
    after = place(directory, digest).stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    assert list((directory / "tmp").iterdir()) == []


class SlowFile:
    """A file being written that lets something else happen before it is flushed."""

    def __init__(self, file: NewFile, before_flush: Callable[[], object]) -> None:
        self._file = file
        self._before_flush = before_flush

    def write(self, chunk: bytes, /) -> object:
        return self._file.write(chunk)

    def flush(self) -> None:
        self._before_flush()
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class DirectoryBut:
    """A directory in which some methods are others; the rest is as in the directory that it stands for."""

    def __init__(self, directory: Directory, **methods: Callable[..., object]) -> None:
        self._directory = directory
        self._methods = methods

    def __getattr__(self, name: str) -> object:
        return self._methods.get(name) or getattr(self._directory, name)


def a_store_in(directory: DirectoryBut) -> DiskStore:
    return DiskStore(lambda: "/the/store", lambda *_, **__: cast(Directory, directory), StoppedClock())


def test_the_same_blob_written_by_another_meanwhile_is_never_missing(directory: Path) -> None:
    """Moved aside for ours to take its place, it was gone for whoever was about to read it."""
    real = private_directory(str(directory))
    other = a_disk_store(directory)
    slow = DirectoryBut(real, open_new=lambda path: SlowFile(real.open_new(path), lambda: put(b"blob", other)))
    digest = put(b"blob", a_store_in(slow))
    assert place(directory, digest).read_bytes() == b"blob"
    assert not (directory / "corrupt").exists()


def test_a_store_whose_lock_cannot_be_had_is_read_but_not_written(directory: Path) -> None:
    def no_lock(*_: object, **__: object) -> None:
        raise FileSystemError(subject="file lock", check="cannot lock: Input/output error")

    digest = put(b"blob", a_disk_store(directory))
    store = a_store_in(DirectoryBut(private_directory(str(directory)), lock=no_lock))
    with store.open(digest) as file:
        assert file.read() == b"blob"
    with pytest.raises(FileSystemError, match=r"it cannot be written: file lock: cannot lock"):
        put(b"another", store)
    assert store.digests() == (digest,)


def as_a_link(blob: Path) -> None:
    blob.symlink_to("/etc/passwd")


def as_a_dangling_link(blob: Path) -> None:
    blob.symlink_to("/nowhere/at/all")


def as_a_fifo(blob: Path) -> None:
    os.mkfifo(blob)


def as_a_directory(blob: Path) -> None:
    (blob / "not" / "empty").mkdir(parents=True)


def as_a_shorter_file(blob: Path) -> None:
    blob.write_bytes(b"blo")


def as_an_empty_file(blob: Path) -> None:
    blob.write_bytes(b"")


INTRUDERS = [as_a_link, as_a_dangling_link, as_a_fifo, as_a_directory, as_a_shorter_file, as_an_empty_file]


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_what_stands_in_a_blobs_place_gives_way_to_the_blob(
    intruder: Callable[[Path], None], directory: Path, store: DiskStore
) -> None:
    put(b"another", store)
    intruder(place(directory, Digest.of(b"blob")))
    digest = put(b"blob", store)
    assert place(directory, digest).read_bytes() == b"blob"
    assert not place(directory, digest).is_symlink()
    assert Path("/etc/passwd").stat().st_size > 4


@pytest.mark.parametrize("intruder", INTRUDERS[:4])
def test_only_a_regular_file_counts_as_a_blob(
    intruder: Callable[[Path], None], directory: Path, store: DiskStore
) -> None:
    put(b"another", store)
    digest = Digest.of(b"blob")
    intruder(place(directory, digest))
    assert store.size(digest) is None
    assert store.digests() == (Digest.of(b"another"),)
    store.set_aside(digest)
    assert not os.path.lexists(place(directory, digest))


def test_what_else_lies_among_the_blobs_is_not_looked_at(directory: Path, store: DiskStore) -> None:
    digest = put(b"blob", store)
    for name in ("README", digest.hex.upper(), digest.hex[:-1], digest.hex + "0", ".hidden"):
        (directory / "blobs" / "sha256" / name).write_text("x")
    assert store.digests() == (digest,)


def test_a_blob_set_aside_twice_leaves_the_last_one_for_a_look(directory: Path, store: DiskStore) -> None:
    digest = put(b"blob", store)
    for broken in (b"b1ob", b"b2ob"):
        put(b"blob", store)
        place(directory, digest).write_bytes(broken)
        store.set_aside(digest)
    assert (directory / "corrupt" / digest.hex).read_bytes() == b"b2ob"


def test_a_lock_is_remembered_by_where_it_was_and_when(directory: Path) -> None:
    store = a_disk_store(directory, StoppedClock(TODAY_S))
    store.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    (root,) = store.roots()
    assert (root.path, root.lock, root.seen_s) == ("/home/me/agent-sync.lock", Digest.of(b"version: 1\n"), TODAY_S)
    assert place(directory, root.lock).read_bytes() == b"version: 1\n"


@pytest.mark.parametrize(("later_s", "written"), [(DAY_S - 1, False), (DAY_S, True), (-1, True)])
def test_a_root_is_written_once_a_day(directory: Path, later_s: float, *, written: bool) -> None:
    clock = StoppedClock()
    store = a_disk_store(directory, clock)
    store.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    clock.now += later_s
    store.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    assert (store.roots()[0].seen_s == clock.now) is written


def test_a_path_that_is_not_unicode_is_remembered(store: DiskStore) -> None:
    path = os.fsdecode(b"/home/me/\xff\xfe/agent-sync.lock")
    store.remember(b"version: 1\n", path=path)
    assert store.roots()[0].path == path


def test_a_directory_nested_deeper_than_any_path_can_be_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a-long-name", dir_fd=here)
        below = os.open("a-long-name", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.close(here)
    sweep(RelPath("deep"), directory=private_directory(str(tmp_path)))
    assert files_below(tmp_path) == set()
    assert not deep.exists()


def test_scratch_is_removed_whatever_a_command_has_left_in_it(tmp_path: Path, store: DiskStore) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").write_text("x")
    with store.scratch() as scratch:
        inside = Path(scratch.name)
        (inside / "link").symlink_to(outside)
        (inside / "loop").symlink_to(inside)
        os.mkfifo(inside / "fifo")
        (inside / "locked").mkdir(mode=0)
        (inside / os.fsdecode(b"\xff\n\x1b[31m")).write_text("x")
        (inside / "a" / "b").mkdir(parents=True)
    assert not inside.exists()
    assert list(inside.parent.iterdir()) == []
    assert (outside / "file").read_text() == "x"


def test_a_closed_store_can_be_used_again(store: DiskStore) -> None:
    digest = put(b"blob", store)
    store.close()
    assert store.size(digest) == 4
