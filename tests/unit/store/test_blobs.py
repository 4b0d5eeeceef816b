"""The cache on the disk: where things lie, what is never touched again, what happens to what does not belong there."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from agent_sync.adapters.machine import private_directory
from agent_sync.errors import FileSystemError
from agent_sync.ports import Directory, NewFile
from agent_sync.ports.files import sweep
from agent_sync.store.cache import Cache, cache_at
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.stores import DAY_S, TODAY_S, StoppedClock, a_cache, place, put


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "agent-sync"


@pytest.fixture
def cache(directory: Path) -> Cache:
    return a_cache(directory)


def files_below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


def test_nothing_is_made_before_the_store_is_used(directory: Path) -> None:
    a_cache(directory)
    assert not directory.exists()


def test_looking_into_a_store_that_is_not_there_makes_none(directory: Path, cache: Cache) -> None:
    assert cache.blobs.size(Digest.of(b"x")) is None
    assert cache.blobs.digests() == ()
    assert cache.roots.all() == ()
    assert cache.blobs.total_bytes() == 0
    cache.blobs.set_aside(Digest.of(b"x"))
    assert cache.blobs.name == str(directory)
    assert not directory.parent.exists()


def test_a_store_that_another_process_has_made_meanwhile_is_found(directory: Path, cache: Cache) -> None:
    assert cache.blobs.size(Digest.of(b"blob")) is None
    put(b"blob", a_cache(directory).blobs)
    assert cache.blobs.size(Digest.of(b"blob")) == 4


def test_the_directory_is_an_oci_image_layout_that_only_its_user_can_enter(directory: Path, cache: Cache) -> None:
    digest = put(b"blob", cache.blobs)
    assert files_below(directory) == {"oci-layout", "index.json", "lock", f"blobs/sha256/{digest.hex}"}
    assert json.loads((directory / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((directory / "index.json").read_bytes())["manifests"] == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert cache.blobs.name == str(directory)


def test_a_blob_that_has_its_name_is_never_written_again(directory: Path, cache: Cache) -> None:
    digest = put(b"blob", cache.blobs)
    before = place(directory, digest).stat()
    assert put(b"blob", cache.blobs) == digest
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


def a_store_in(directory: DirectoryBut) -> Cache:
    return cache_at(lambda: "/the/store", lambda *_, **__: cast(Directory, directory), StoppedClock())


def test_the_same_blob_written_by_another_meanwhile_is_never_missing(directory: Path) -> None:
    """Moved aside for ours to take its place, it was gone for whoever was about to read it."""
    real = private_directory(str(directory))
    other = a_cache(directory)
    slow = DirectoryBut(real, open_new=lambda path: SlowFile(real.open_new(path), lambda: put(b"blob", other.blobs)))
    digest = put(b"blob", a_store_in(slow).blobs)
    assert place(directory, digest).read_bytes() == b"blob"
    assert not (directory / "corrupt").exists()


def test_a_store_whose_lock_cannot_be_had_is_read_but_not_written(directory: Path) -> None:
    def no_lock(*_: object, **__: object) -> None:
        raise FileSystemError(subject="file lock", check="cannot lock: Input/output error")

    digest = put(b"blob", a_cache(directory).blobs)
    cache = a_store_in(DirectoryBut(private_directory(str(directory)), lock=no_lock))
    with cache.blobs.open(digest) as file:
        assert file.read() == b"blob"
    with pytest.raises(FileSystemError, match=r"cannot be written: file lock: cannot lock"):
        put(b"another", cache.blobs)
    assert cache.blobs.digests() == (digest,)


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
    intruder: Callable[[Path], None], directory: Path, cache: Cache
) -> None:
    put(b"another", cache.blobs)
    intruder(place(directory, Digest.of(b"blob")))
    digest = put(b"blob", cache.blobs)
    assert place(directory, digest).read_bytes() == b"blob"
    assert not place(directory, digest).is_symlink()
    assert Path("/etc/passwd").stat().st_size > 4


@pytest.mark.parametrize("intruder", INTRUDERS[:4])
def test_only_a_regular_file_counts_as_a_blob(intruder: Callable[[Path], None], directory: Path, cache: Cache) -> None:
    put(b"another", cache.blobs)
    digest = Digest.of(b"blob")
    intruder(place(directory, digest))
    assert cache.blobs.size(digest) is None
    assert cache.blobs.digests() == (Digest.of(b"another"),)
    cache.blobs.set_aside(digest)
    assert not os.path.lexists(place(directory, digest))


def test_what_else_lies_among_the_blobs_is_not_looked_at(directory: Path, cache: Cache) -> None:
    digest = put(b"blob", cache.blobs)
    for name in ("README", digest.hex.upper(), digest.hex[:-1], digest.hex + "0", ".hidden"):
        (directory / "blobs" / "sha256" / name).write_text("x")
    assert cache.blobs.digests() == (digest,)


def test_a_blob_set_aside_twice_leaves_the_last_one_for_a_look(directory: Path, cache: Cache) -> None:
    digest = put(b"blob", cache.blobs)
    for broken in (b"b1ob", b"b2ob"):
        put(b"blob", cache.blobs)
        place(directory, digest).write_bytes(broken)
        cache.blobs.set_aside(digest)
    assert (directory / "corrupt" / digest.hex).read_bytes() == b"b2ob"


def test_a_lock_is_remembered_by_where_it_was_and_when(directory: Path) -> None:
    cache = a_cache(directory, StoppedClock(TODAY_S))
    cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    (root,) = cache.roots.all()
    assert (root.path, root.lock, root.seen_s) == ("/home/me/agent-sync.lock", Digest.of(b"version: 1\n"), TODAY_S)
    assert place(directory, root.lock).read_bytes() == b"version: 1\n"


@pytest.mark.parametrize(("later_s", "written"), [(DAY_S - 1, False), (DAY_S, True), (-1, True)])
def test_a_root_is_written_once_a_day(directory: Path, later_s: float, *, written: bool) -> None:
    clock = StoppedClock()
    cache = a_cache(directory, clock)
    cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    clock.now += later_s
    cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    assert (cache.roots.all()[0].seen_s == clock.now) is written


def test_a_path_that_is_not_unicode_is_remembered(cache: Cache) -> None:
    path = os.fsdecode(b"/home/me/\xff\xfe/agent-sync.lock")
    cache.roots.remember(b"version: 1\n", path=path)
    assert cache.roots.all()[0].path == path


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


def test_scratch_is_removed_whatever_a_command_has_left_in_it(tmp_path: Path, cache: Cache) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").write_text("x")
    with cache.directory.scratch() as scratch:
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


def test_a_closed_store_can_be_used_again(cache: Cache) -> None:
    digest = put(b"blob", cache.blobs)
    cache.blobs.close()
    assert cache.blobs.size(digest) == 4
