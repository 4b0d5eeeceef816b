"""Compare a canonical tar with the locked tree: while it is received, and to find where each file's content is.

Such a tar needs no parser: every header follows from the tree and the length that the header itself tells, so each
header is made again and compared byte by byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from agent_sync.errors import LockInvalid
from agent_sync.lock.consistency import REMEDY
from agent_sync.lock.model import PackedTree
from agent_sync.tree import Entry, RelPath, Sha256, Tree, nar
from agent_sync.tree.tarball import (
    BLOCK,
    END,
    directories_entered,
    directory_header,
    file_header,
    header_length,
    padding,
    size_in,
)
from agent_sync_oci.text import quoted

# -- Where each file of a tree lies in its canonical tar. Such a tar needs no parser: every header follows from the
# tree and the length that the header itself tells, so it is made again and all its bytes are compared. Only headers
# are read.

ReadAt = Callable[[int, int], bytes]
"""Gives the bytes at an offset, so many of them; fewer only where the tar ends."""


class Span(NamedTuple):
    """A piece of a blob, in bytes."""

    offset: int
    size: int


class TarMismatch(Exception):
    """A tar is not the canonical one of the tree; the text says where."""


_WINDOW_BYTES = 1 << 16


def find_spans(tree: Tree, read: ReadAt) -> Iterator[tuple[Sha256, Span]]:
    """The digest of each file of `tree` and where its content lies, in the order of the paths.

    Raises:
        NotThisTree: a header or the end is not what the tree asks for. What lies between headers is not looked at.
    """
    read = _Window(read).read
    offset = _skip_directory(directory_header(b""), 0, read, "")
    directory = ""
    for path, entry in tree.items():
        parent = path.rpartition("/")[0]
        if parent != directory:
            for each in directories_entered(directory, parent)[1]:
                offset = _skip_directory(directory_header(each.encode()), offset, read, each)
            directory = parent
        name = path.encode()
        header = read(offset, header_length(name))
        size = size_in(header)
        if size is None or header != file_header(name, size, executable=entry.executable):
            raise TarMismatch(f"the header at byte {offset} is not that of {quoted(path)}")
        offset += len(header)
        yield entry.sha256, Span(offset, size)
        offset += size + -size % BLOCK
    if read(offset, len(END) + 1) != END:
        raise TarMismatch(f"it does not end at byte {offset} as it must")


class _Window:
    """The tar, some of it read ahead: where files are small, to ask for each header by itself would cost more."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._offset = 0
        self._bytes = b""

    def read(self, offset: int, size: int) -> bytes:
        """A `ReadAt` for offsets that only grow."""
        start = offset - self._offset
        if start + size > len(self._bytes):
            self._offset, self._bytes, start = offset, self._read(offset, max(size, _WINDOW_BYTES)), 0
        return self._bytes[start : start + size]


def _skip_directory(header: bytes, offset: int, read: ReadAt, directory: str) -> int:
    if read(offset, len(header)) != header:
        raise TarMismatch(f"the header at byte {offset} is not that of the directory {quoted(directory + '/')}")
    return offset + len(header)


# -- A canonical tar while it comes in: each file is held against the lock on its way, and nothing is read twice.

_BATCH_BYTES = 1 << 18
_LARGE_BYTES = 1 << 14

_Parser = Generator[tuple[int, int], memoryview, None]
"""Asks for the next bytes: for at least so many, and for no more than so many."""


class ReceivedTar:
    """Takes the bytes of a tar, in pieces of any size, and compares them with all that the lock says of its files.

    That the whole is the locked blob is for others to find: they hash every byte as well.
    """

    def __init__(self, packed: PackedTree, *, subject: str) -> None:
        """`subject` is who says what the tree is, for messages."""
        self._packed = packed
        self._subject = subject
        self._size = 0
        self._held = b""
        self._fault: str | None = "it ends too soon"
        self._nar = _NarHash()
        self._steps = self._walk()
        self._least, self._most = next(self._steps)

    def write(self, piece: bytes, /) -> None:
        """These bytes come next. What is wrong with them is told at the end."""
        self._size += len(piece)
        left = memoryview(self._held + piece if self._held else piece)
        while 0 < self._least <= len(left):
            taken, left = left[: self._most], left[self._most :]
            self._take(taken)
        self._held = bytes(left) if self._least else b""

    def finish(self) -> None:
        """Nothing, if headers, files, length and narHash are what the lock says; what it does not say is not compared.

        Raises: LockInvalid.
        """
        fault = self._fault
        if fault is None and self._packed.size not in (None, self._size):
            fault = f"the length is {self._size} bytes, the lock says {self._packed.size}"
        if fault is None and self._packed.nar_hash not in (None, self._nar.sri()):
            fault = f"the narHash is {self._nar.sri()}, the lock says {self._packed.nar_hash}"
        if fault is not None:
            check = f"the list of files and the blob disagree: in blob {self._packed.blob} {fault}"
            raise LockInvalid(subject=self._subject, check=check, remedy=REMEDY)

    def _take(self, piece: memoryview) -> None:
        try:
            self._least, self._most = self._steps.send(piece)
        except StopIteration:
            self._fault, self._least = None, 0
        except _Mismatch as error:
            self._fault, self._least = str(error), 0

    def _walk(self) -> _Parser:
        """The tar, block by block. What lies between the contents of two files comes as one piece."""
        before = directory_header(b"")
        self._nar.add(nar.START)
        directory = ""
        for path, entry in self._packed.files.items():
            before += self._entered(directory, directory := path.rpartition("/")[0])
            size = yield from self._header(before, path, entry)
            yield from self._content(path, entry, size)
            before = padding(size)
        ended, _ = directories_entered(directory, "")
        self._nar.add(nar.CLOSE_DIRECTORY * ended + nar.FINISH)
        end = yield _exactly(len(before) + len(END))
        if end != before + END:
            raise _Mismatch("the end is not that of a canonical tar")

    def _entered(self, directory: str, next_directory: str) -> bytes:
        """The headers of the directories that begin there."""
        ended, begun = directories_entered(directory, next_directory)
        self._nar.add(nar.CLOSE_DIRECTORY * ended)
        for each in begun:
            self._nar.add(nar.open_directory(each.rpartition("/")[2].encode()))
        return b"".join(directory_header(each.encode()) for each in begun)

    def _header(self, before: bytes, path: RelPath, entry: Entry) -> Generator[tuple[int, int], memoryview, int]:
        name = path.encode()
        found = bytes((yield _exactly(len(before) + header_length(name))))
        size = size_in(found)
        if size is None or found != before + file_header(name, size, executable=entry.executable):
            raise _Mismatch(f"what comes before file {quoted(path)} is not as in a canonical tar")
        self._nar.add(nar.before_file(name.rpartition(b"/")[2], size, executable=entry.executable))
        return size

    def _content(self, path: RelPath, entry: Entry, size: int) -> _Parser:
        sha256 = hashlib.sha256()
        left = size
        while left:
            piece = yield (1, left)
            sha256.update(piece)
            self._nar.add(piece)
            left -= len(piece)
        self._nar.add(nar.after_file(size))
        if sha256.hexdigest() != entry.sha256:
            check = f"file {quoted(path)} has the sha256 {sha256.hexdigest()}, the lock says {entry.sha256}"
            raise _Mismatch(check)


class _Mismatch(Exception):
    """A tar is not the canonical one of the tree; the text says where."""


class _NarHash:
    """The narHash of what is added; many small parts are hashed as few large ones."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes | memoryview] = []
        self._held = 0

    def add(self, part: bytes | memoryview) -> None:
        if len(part) >= _LARGE_BYTES:  # to be put together with others it would have to be copied
            self._hash()
            self._sha256.update(part)
            return
        self._parts.append(part)
        self._held += len(part)
        if self._held >= _BATCH_BYTES:
            self._hash()

    def sri(self) -> str:
        self._hash()
        return nar.sri(self._sha256.digest())

    def _hash(self) -> None:
        self._sha256.update(b"".join(self._parts))
        self._parts.clear()
        self._held = 0


def _exactly(count: int) -> tuple[int, int]:
    return count, count
