from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_sync.adapters.sandbox.untrusted_files import MAX_DEPTH, discard, empty, everything_in


def a_chain(at: Path, *, depth: int) -> None:
    """Directories within directories; with 3000 of them the innermost has no path that any call takes."""
    opened = os.open(at, os.O_RDONLY)
    for number in range(depth):
        os.mkdir("d", dir_fd=opened)
        os.close(os.open(f"file{number}", os.O_CREAT | os.O_WRONLY, dir_fd=opened))
        below = os.open("d", os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened = below
    os.close(opened)


def test_a_chain_of_directories_longer_than_any_path_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    a_chain(target, depth=3000)
    empty(str(target))
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == []


def test_what_a_symlink_points_to_stays(tmp_path: Path) -> None:
    target, other = tmp_path / "target", tmp_path / "other"
    target.mkdir()
    other.mkdir(mode=0o755)
    (other / "file").write_text("x")
    (target / "directory").symlink_to(other)
    (target / "file").symlink_to(other / "file")
    (target / "0").mkdir()  # a name that the removal itself gives
    discard(str(target))
    assert not target.exists()
    assert (other / "file").read_text() == "x"
    assert other.stat().st_mode & 0o777 == 0o755


def test_everything_is_seen_once_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"12345")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    sizes = [found.st_size for found in everything_in(str(tmp_path)) if found.st_nlink == 1]
    assert sorted(sizes) == sorted([5, len(str(tmp_path))])
    assert len(list(everything_in(str(tmp_path)))) == 4


def test_directories_that_are_too_deep_to_count_are_an_error(tmp_path: Path) -> None:
    a_chain(tmp_path, depth=MAX_DEPTH)
    with pytest.raises(OSError, match="nested deeper than 100"):
        list(everything_in(str(tmp_path)))
    empty(str(tmp_path))
    a_chain(tmp_path, depth=MAX_DEPTH - 1)
    assert len(list(everything_in(str(tmp_path)))) == 2 * (MAX_DEPTH - 1)
