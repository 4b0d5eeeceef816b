"""The store's `tmp/`: what is not finished lies there, under names that no two processes choose alike."""

from __future__ import annotations

import os

from agent_sync.ports import Folder
from agent_sync.ports.sweeping import sweep
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


def sweep_staging(folder: Folder) -> None:
    """Nothing is left in `tmp/`. Only for who holds the store exclusively."""
    for name in folder.names(STAGING):
        sweep(join(STAGING, RelPath(name)), folder=folder)
