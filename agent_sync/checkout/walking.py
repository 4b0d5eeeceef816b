"""Everything below a folder, without recursion: whoever left it there may have nested it deeper than a stack goes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from agent_sync.errors import FileFault
from agent_sync.ports import Folder, Kind, Stat
from agent_sync.tree import ROOT, RelPath, join


class Level(NamedTuple):
    """One folder of those below another: its path, itself, and what stands in it."""

    path: RelPath
    folder: Folder
    inside: tuple[tuple[RelPath, Stat], ...]


def levels(path: RelPath, *, folder: Folder) -> Iterator[Level]:
    """The folder at `path` and each one below it, a folder before those in it.

    Raises: UnsafePath, FileFault if no folder stands at `path`.
    """
    paths = [path]
    for here in paths:  # it grows as we go
        below = folder.below(here)
        looked = ((RelPath(name), below.stat(RelPath(name))) for name in below.names(ROOT))
        level = Level(here, below, tuple((name, stat) for name, stat in looked if stat is not None))
        paths.extend(join(here, name) for name, stat in level.inside if stat.kind is Kind.FOLDER)
        yield level


def sweep(path: RelPath, *, folder: Folder) -> None:
    """Nothing stands at `path` any more; a symlink is removed, not followed."""
    stat = folder.stat(path)
    if stat is None or stat.kind is not Kind.FOLDER:
        folder.remove(path)
        return
    top = folder.below(path)
    numbers = count()
    while names := top.names(ROOT):
        for name in map(RelPath, names):
            _empty(name, top, numbers)
    folder.remove_folder(path)


def _empty(name: RelPath, top: Folder, numbers: Iterator[int]) -> None:
    """What stands at `name` in `top` is gone; folders in it are moved up to `top`, so that no path ever gets long."""
    stat = top.stat(name)
    if stat is None or stat.kind is not Kind.FOLDER:
        top.remove(name)
        return
    inside = top.below(name)
    for child in map(RelPath, inside.names(ROOT)):
        try:
            inside.remove(child)  # as a rule it is a file; to look first would cost as much again
        except FileFault:
            found = inside.stat(child)
            if found is None or found.kind is not Kind.FOLDER:
                raise
            if not inside.remove_folder(child):
                inside.rename(child, _free(top, numbers), into=top)
    top.remove_folder(name)


def _free(top: Folder, numbers: Iterator[int]) -> RelPath:
    return next(name for name in (RelPath(f"swept-{number}") for number in numbers) if top.stat(name) is None)
