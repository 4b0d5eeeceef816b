"""Where each file of a tree lies in its canonical tar.

Such a tar needs no parser: every header follows from the tree and the length that the header itself tells, so it is
made again and all its bytes are compared. Only headers are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent_sync.escaping import shown
from agent_sync.tree import Sha256, Tree
from agent_sync.tree.packing import folders_entered
from agent_sync.tree.tarball import BLOCK, END, file_header, folder_header, header_length, size_in

Read = Callable[[int, int], bytes]
"""Gives the bytes at an offset, so many of them; fewer only where the tar ends."""


class Span(NamedTuple):
    """A piece of a blob, in bytes."""

    offset: int
    size: int


class NotThisTree(Exception):
    """A tar is not the canonical one of the tree; the text says where."""


_WINDOW_BYTES = 1 << 16


def spans(tree: Tree, read: Read) -> Iterator[tuple[Sha256, Span]]:
    """The digest of each file of `tree` and where its content lies, in the order of the paths.

    Raises:
        NotThisTree: a header or the end is not what the tree asks for. What lies between headers is not looked at.
    """
    read = _Window(read).read
    offset = _passed(folder_header(b""), 0, read, "")
    folder = ""
    for path, entry in tree.items():
        parent = path.rpartition("/")[0]
        if parent != folder:
            for each in folders_entered(folder, parent)[1]:
                offset = _passed(folder_header(each.encode()), offset, read, each)
            folder = parent
        name = path.encode()
        header = read(offset, header_length(name))
        size = size_in(header)
        if size is None or header != file_header(name, size, executable=entry.executable):
            raise NotThisTree(f"the header at byte {offset} is not that of {shown(path)}")
        offset += len(header)
        yield entry.sha256, Span(offset, size)
        offset += size + -size % BLOCK
    if read(offset, len(END) + 1) != END:
        raise NotThisTree(f"it does not end at byte {offset} as it must")


class _Window:
    """The tar, some of it read ahead: where files are small, to ask for each header by itself would cost more."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._offset = 0
        self._bytes = b""

    def read(self, offset: int, size: int) -> bytes:
        """A `Read` for offsets that only grow."""
        start = offset - self._offset
        if start + size > len(self._bytes):
            self._offset, self._bytes, start = offset, self._read(offset, max(size, _WINDOW_BYTES)), 0
        return self._bytes[start : start + size]


def _passed(header: bytes, offset: int, read: Read, folder: str) -> int:
    if read(offset, len(header)) != header:
        raise NotThisTree(f"the header at byte {offset} is not that of the folder {shown(folder + '/')}")
    return offset + len(header)
