"""Read, walk and copy in a directory that others may write to: bounded, without recursion, across file systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agent_sync.errors import LimitExceeded
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.tree import ROOT, RelPath, join

# -- A file of ours read whole, whatever somebody has put in its place.


def read_bounded(path: RelPath, directory: Directory, *, max_bytes: int, remedy: str) -> bytes | None:
    """The content of the file at `path`; None if nothing stands there.

    Raises: LimitExceeded if it has more than `max_bytes`; UnsafePath, FileSystemError.
    """
    stat = directory.stat(path)
    if stat is None:
        return None
    content = b""
    if stat.size <= max_bytes:
        with directory.open(path) as file:
            content = file.read(max_bytes + 1)
    if stat.size > max_bytes or len(content) > max_bytes:  # it may have grown meanwhile
        check = f"it has more than {max_bytes} bytes, the most that it may have"
        raise LimitExceeded(subject=f"file {path}", check=check, remedy=remedy)
    return content


# -- Everything below a directory, without recursion: whoever left it there may have nested it deeper than a stack goes.


class Level(NamedTuple):
    """One directory of those below another: its path, itself, and what stands in it."""

    path: RelPath
    directory: Directory
    inside: tuple[tuple[RelPath, Stat], ...]


def levels(path: RelPath, *, directory: Directory) -> Iterator[Level]:
    """The directory at `path` and each one below it, a directory before those in it.

    Raises: UnsafePath, FileSystemError if no directory stands at `path`.
    """
    paths = [path]
    for here in paths:  # it grows as we go
        below = directory.below(here)
        looked = ((RelPath(name), below.stat(RelPath(name))) for name in below.names(ROOT))
        level = Level(here, below, tuple((name, stat) for name, stat in looked if stat is not None))
        paths.extend(join(here, name) for name, stat in level.inside if stat.kind is Kind.DIRECTORY)
        yield level


# -- A copy of a file or directory, for where a rename cannot reach.


def copy(old: RelPath, new: RelPath, *, source: Directory, into: Directory) -> None:
    """`new` in `into` is what `old` in `source` is: a file, or a directory of files, with their executable bits."""
    stat = source.stat(old)
    if stat is not None and stat.kind is Kind.DIRECTORY:
        into.make_directory(new)
        for name in source.names(old):
            copy(join(old, RelPath(name)), join(new, RelPath(name)), source=source, into=into)
    else:
        into.create(new, source.chunks(old), executable=stat is not None and stat.executable)
