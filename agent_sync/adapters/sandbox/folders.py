"""Looking at all that is in a folder which a stranger fills at this moment."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

MAX_DEPTH = 100  # folders within folders

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def everything_in(path: str) -> Iterator[os.stat_result]:
    """What is beneath the folder at `path`, folders included, in no order: each as lstat(2) sees it.

    No symlink is followed, and what has just vanished is left out. Raises OSError: a folder cannot be read by its own
    owner, or is nested deeper than MAX_DEPTH.
    """
    return _everything_in(os.open(path, _FOLDER), depth=1)


def _everything_in(folder: int, *, depth: int) -> Iterator[os.stat_result]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                    below = os.open(entry.name, _FOLDER, dir_fd=folder) if stat.S_ISDIR(found.st_mode) else None
                except (FileNotFoundError, NotADirectoryError):  # removed, or replaced, since scandir saw it
                    continue
                yield found
                if below is not None:
                    yield from _below(below, depth=depth + 1)
    finally:
        os.close(folder)


def _below(folder: int, *, depth: int) -> Iterator[os.stat_result]:
    if depth > MAX_DEPTH:
        os.close(folder)
        raise OSError(errno.ENAMETOOLONG, f"folders are nested deeper than {MAX_DEPTH}")
    return _everything_in(folder, depth=depth)
