"""What only a directory on a real disk can show: modes, locks between descriptors, what the system says."""

from __future__ import annotations

import errno
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync.adapters.descriptors import file_error
from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.files import RawReader
from agent_sync.errors import CrossDeviceLink, FileSystemError, ProjectBusy, UnsafePath
from agent_sync.tree import RelPath
from tests.builders.directories import write


@pytest.fixture
def directory(tmp_path: Path) -> DiskDirectory:
    return DiskDirectory(str(tmp_path))


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("mask", "plain", "program"),
    [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0, 0o644, 0o755), (0o177, 0o600, 0o700)],
)
def test_modes_keep_to_the_umask_but_a_program_stays_one(
    directory: DiskDirectory, tmp_path: Path, mask: int, plain: int, program: int
) -> None:
    os.umask(mask)
    write(directory, "plain")
    write(directory, "program", executable=True)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("plain", "program")] == [plain, program]


def test_replace_leaves_no_temporary_file_when_it_fails(directory: DiskDirectory, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(FileSystemError):
        directory.replace(RelPath("a"), b"x")
    assert os.listdir(tmp_path) == ["a"]


def test_a_directory_that_is_a_link_may_be_opened_by_its_user(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(DiskDirectory(str(tmp_path / "link")), "a")
    assert (tmp_path / "real/a").exists()


def test_a_directory_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match="missing"):
        DiskDirectory(str(tmp_path / "missing"))


def test_a_directory_that_may_be_entered_but_not_listed_is_walked_through(
    directory: DiskDirectory, tmp_path: Path
) -> None:
    write(directory, "a/b")
    (tmp_path / "a").chmod(0o311)
    assert directory.stat(RelPath("a/b")) is not None
    assert directory.digest(RelPath("a/b"))


def test_descriptors_are_given_back(directory: DiskDirectory) -> None:
    def use() -> None:
        write(directory, "a/b/c")
        directory.below(RelPath("a")).rename(RelPath("b/c"), RelPath("c"), into=directory)
        directory.open(RelPath("c")).close()
        directory.digest(RelPath("c"))
        directory.names(RelPath("a/b"))
        directory.flush()
        directory.remove(RelPath("c"))
        with directory.lock(RelPath("lock")):
            pass
        for path in ("link/x", "a/missing/x"):
            with pytest.raises((UnsafePath, FileSystemError)):
                directory.open(RelPath(path))

    os.symlink("a", f"{directory.name}/link")
    use()
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        use()
    assert len(os.listdir("/proc/self/fd")) <= len(before)  # what earlier tests left open may be closed meanwhile


def test_a_lock_is_waited_for_as_long_as_asked(directory: DiskDirectory) -> None:
    path = RelPath("lock")
    with directory.lock(path):
        started = time.monotonic()
        with pytest.raises(ProjectBusy), directory.lock(path, wait_s=0.2):
            pass
        assert time.monotonic() - started >= 0.2


def test_a_lock_that_is_given_back_is_taken_by_who_waits(directory: DiskDirectory) -> None:
    path = RelPath("lock")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with directory.lock(path):
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    threading.Timer(0.2, release.set).start()
    with directory.lock(path, wait_s=10):
        assert release.is_set()
    holder.join()


def test_a_lock_file_that_was_removed_keeps_nobody_out_and_nobody_shares_it_unseen(directory: DiskDirectory) -> None:
    path = RelPath("lock")
    with directory.lock(path):
        directory.remove(path)
        with directory.lock(path), pytest.raises(ProjectBusy), directory.lock(path):
            pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS, errno.EDQUOT, 9999])
def test_what_the_system_refuses_is_told_with_the_path_and_a_remedy(code: int) -> None:
    error = file_error(OSError(code, os.strerror(code)), doing="write", path="/a/\x1b[31m.md")
    assert isinstance(error, FileSystemError)
    assert os.strerror(code) in error.check
    assert error.remedy
    assert "\x1b" not in str(error)


def test_links_and_other_file_systems_are_families_of_their_own() -> None:
    assert isinstance(file_error(OSError(errno.ELOOP, "loop", "b"), doing="read", path="/a/b/c"), UnsafePath)
    assert isinstance(file_error(OSError(errno.EXDEV, "cross"), doing="rename", path="/a"), CrossDeviceLink)


@pytest.mark.parametrize("size", [-1, 10])
def test_a_disk_that_fails_while_we_read_is_a_fault(tmp_path: Path, size: int) -> None:
    unreadable = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    with io.BufferedReader(RawReader(unreadable, "/a")) as reader, pytest.raises(FileSystemError, match="cannot read"):
        reader.read(size)
