"""Measure and remove directories that a stranger fills, however deep, and whatever permissions are set there."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator

MAX_DEPTH = 100  # directories within directories

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def everything_in(path: str) -> Iterator[os.stat_result]:
    """Yield what is beneath the directory at `path`, directories included, in no order, as lstat(2) sees it.

    No symlink is followed, and what has just vanished is left out. Raises OSError: a directory cannot be read by its
    own owner, or is nested deeper than MAX_DEPTH.
    """
    return _everything_in(os.open(path, _DIRECTORY), depth=1)


def _everything_in(directory: int, *, depth: int) -> Iterator[os.stat_result]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                    below = os.open(entry.name, _DIRECTORY, dir_fd=directory) if stat.S_ISDIR(found.st_mode) else None
                except (FileNotFoundError, NotADirectoryError):  # removed, or replaced, since scandir saw it
                    continue
                yield found
                if below is not None:
                    yield from _below(below, depth=depth + 1)
    finally:
        os.close(directory)


def _below(directory: int, *, depth: int) -> Iterator[os.stat_result]:
    if depth > MAX_DEPTH:
        os.close(directory)
        raise OSError(errno.ENAMETOOLONG, f"directories are nested deeper than {MAX_DEPTH}")
    return _everything_in(directory, depth=depth)


def discard(path: str) -> None:
    """Remove the directory at `path` with all that is in it. No process may be at work in it. Raise OSError."""
    empty(path)
    os.rmdir(path)


def empty(path: str) -> None:
    """Empty the directory at `path`. No process may be at work in it. Raise OSError.

    A chain of directories can be longer than a path or a descriptor table: so each directory's own directories are
    first moved to a pit beside `path`, under numbers, and the work is never more than one level deep.
    """
    pit = tempfile.mkdtemp(prefix="discarded-", dir=os.path.dirname(path))
    pit_opened = os.open(pit, _DIRECTORY)
    try:
        moved = _flatten(path, pit=pit_opened, number=0)
        sunk = 0
        while sunk < moved:
            moved = _flatten(f"{pit}/{sunk}", pit=pit_opened, number=moved)
            os.rmdir(f"{pit}/{sunk}")
            sunk += 1
    finally:
        os.close(pit_opened)
    os.rmdir(pit)


def _flatten(path: str, *, pit: int, number: int) -> int:
    """Empty `path` but move its directories to the pit, from `number` on; return the next free number."""
    os.chmod(path, 0o700)  # its maker may have locked himself out
    directory = os.open(path, _DIRECTORY)
    try:
        for name in os.listdir(directory):
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                os.chmod(name, 0o700, dir_fd=directory)  # only then it may be moved
                os.rename(name, str(number), src_dir_fd=directory, dst_dir_fd=pit)
                number += 1
            else:
                os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)
    return number
