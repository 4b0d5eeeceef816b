"""A copy of a file or folder, for where a rename cannot reach."""

from __future__ import annotations

from agent_sync.ports import Folder, Kind
from agent_sync.tree import RelPath, join


def copy(old: RelPath, new: RelPath, *, source: Folder, into: Folder) -> None:
    """`new` in `into` is what `old` in `source` is: a file, or a folder of files, with their executable bits."""
    stat = source.stat(old)
    if stat is not None and stat.kind is Kind.FOLDER:
        into.make_folder(new)
        for name in source.names(old):
            copy(join(old, RelPath(name)), join(new, RelPath(name)), source=source, into=into)
    else:
        into.create(new, source.chunks(old), executable=stat is not None and stat.executable)
