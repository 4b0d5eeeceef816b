"""The store's `tmp/`: what is not finished lies there, under names that no two processes choose alike."""

from __future__ import annotations

import os

from agent_sync.ports import Folder, Kind
from agent_sync.tree import RelPath, join, parent

STAGING = RelPath("tmp")


def new_name() -> RelPath:
    """A path in `tmp/` that nothing has.

    Random, because process ids repeat: two containers that share a cache both call their first process 1.
    """
    return join(STAGING, RelPath(os.urandom(12).hex()))


def put(folder: Folder, path: RelPath, content: bytes) -> None:
    """The file at `path` has this content, whatever happens meanwhile: all of it, or what it had before."""
    folder.make_folder(parent(path))
    staged = new_name()
    folder.create(staged, (content,))
    folder.rename(staged, path)


def sweep(folder: Folder) -> int:
    """Nothing is left in `tmp/`; how many things were there. Only for who holds the store exclusively."""
    names = folder.names(STAGING)
    for name in names:
        remove_all(folder, join(STAGING, RelPath(name)))
    return len(names)


def remove_all(folder: Folder, path: RelPath) -> None:
    """Nothing stands at `path`. Links are removed, never followed.

    A custom command may nest folders deeper than any path may be long, so each folder is moved up before it is emptied.
    """
    moved: list[RelPath] = []
    _remove_one(folder, path, moved)
    while moved:
        emptied = moved.pop()
        for name in folder.names(emptied):
            _remove_one(folder, join(emptied, RelPath(name)), moved)
        folder.remove_folder(emptied)


def _remove_one(folder: Folder, path: RelPath, moved: list[RelPath]) -> None:
    stat = folder.stat(path)
    if stat is None:
        return
    if stat.kind is not Kind.FOLDER:
        folder.remove(path)
    elif not folder.remove_folder(path):
        folder.make_folder(STAGING)
        folder.rename(path, up := new_name())
        moved.append(up)
