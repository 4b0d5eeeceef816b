"""Removing folders that a stranger has filled, however deep, and whatever permissions he has set."""

from __future__ import annotations

import os
import stat
import tempfile

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def discard(path: str) -> None:
    """The folder at `path` is gone, and all that was in it. No process may be at work in it. Raises OSError."""
    empty(path)
    os.rmdir(path)


def empty(path: str) -> None:
    """The folder at `path` is there and holds nothing. No process may be at work in it. Raises OSError.

    A chain of folders can be longer than a path or a descriptor table: so each folder's own folders are first moved
    to a pit beside `path`, under numbers, and the work is never more than one level deep.
    """
    pit = tempfile.mkdtemp(prefix="discarded-", dir=os.path.dirname(path))
    pit_opened = os.open(pit, _FOLDER)
    try:
        moved = _sink(path, pit=pit_opened, number=0)
        sunk = 0
        while sunk < moved:
            moved = _sink(f"{pit}/{sunk}", pit=pit_opened, number=moved)
            os.rmdir(f"{pit}/{sunk}")
            sunk += 1
    finally:
        os.close(pit_opened)
    os.rmdir(pit)


def _sink(path: str, *, pit: int, number: int) -> int:
    """The folder at `path` is empty, its folders in the pit under `number` and up; the next free number."""
    os.chmod(path, 0o700)  # its maker may have locked himself out
    folder = os.open(path, _FOLDER)
    try:
        for name in os.listdir(folder):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.chmod(name, 0o700, dir_fd=folder)  # only then it may be moved
                os.rename(name, str(number), src_dir_fd=folder, dst_dir_fd=pit)
                number += 1
            else:
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    return number
