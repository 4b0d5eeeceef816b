"""A file of ours read whole, whatever somebody has put in its place."""

from __future__ import annotations

from agent_sync.errors import LimitExceeded
from agent_sync.ports import Folder
from agent_sync.tree import RelPath


def read_bounded(path: RelPath, folder: Folder, *, max_bytes: int, remedy: str) -> bytes | None:
    """The content of the file at `path`; None if nothing stands there.

    Raises: LimitExceeded if it has more than `max_bytes`; UnsafePath, FileFault.
    """
    stat = folder.stat(path)
    if stat is None:
        return None
    content = b""
    if stat.size <= max_bytes:
        with folder.open(path) as file:
            content = file.read(max_bytes + 1)
    if stat.size > max_bytes or len(content) > max_bytes:  # it may have grown meanwhile
        check = f"it has more than {max_bytes} bytes, the most that it may have"
        raise LimitExceeded(subject=f"file {path}", check=check, remedy=remedy)
    return content
