"""Everything that stands at a path of a folder removed, without recursion and through no link.

Whoever left it there may have nested it deeper than a stack goes, or than a path may be long.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from agent_sync.errors import FileFault
from agent_sync.ports.files import Folder, Kind
from agent_sync.tree import ROOT, RelPath


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
