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
from agent_sync.tree.tarball import TarWalk, header_length, match_header, padding
from agent_sync_oci.text import quoted

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
        TarMismatch: a header or the end is not what the tree asks for. What lies between headers is not looked at.
    """
    read = _Window(read).read
    walk = TarWalk()
    offset = 0
    for path, entry in tree.items():
        before, _ = walk.enter(path)
        name = path.encode()
        header = read(offset, len(before) + header_length(name))
        size = match_header(header, before, name, executable=entry.executable)
        if size is None:
            at = offset + (len(before) if header.startswith(before) else 0)
            raise TarMismatch(f"the header at byte {at} is not that of {quoted(path)}")
        offset += len(header)
        yield entry.sha256, Span(offset, size)
        offset += size + len(padding(size))
    end, _ = walk.finish()
    if read(offset, len(end) + 1) != end:
        raise TarMismatch(f"the tar does not end at byte {offset}")


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
        self._nar = nar.NarHash()
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
        except TarMismatch as error:
            self._fault, self._least = str(error), 0

    def _walk(self) -> _Parser:
        """Parse the tar, block by block. All between the contents of two files comes as one piece."""
        walk = TarWalk()
        before = b""
        for path, entry in self._packed.files.items():
            directories, nar_part = walk.enter(path)
            self._nar.add(nar_part)
            size = yield from self._header(before + directories, path, entry)
            yield from self._content(path, entry, size)
            before = padding(size)
        end, nar_part = walk.finish()
        self._nar.add(nar_part)
        if (yield _exactly(len(before) + len(end))) != before + end:
            raise TarMismatch("the end is not that of a canonical tar")

    def _header(self, before: bytes, path: RelPath, entry: Entry) -> Generator[tuple[int, int], memoryview, int]:
        name = path.encode()
        found = bytes((yield _exactly(len(before) + header_length(name))))
        size = match_header(found, before, name, executable=entry.executable)
        if size is None:
            raise TarMismatch(f"the bytes before file {quoted(path)} are not those of a canonical tar")
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
            raise TarMismatch(check)


def _exactly(count: int) -> tuple[int, int]:
    return count, count
