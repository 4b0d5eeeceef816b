"""Everything below a folder, without recursion: whoever left it there may have nested it deeper than a stack goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
