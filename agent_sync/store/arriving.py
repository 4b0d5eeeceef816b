"""A canonical tar while it comes in: each file is held against the lock on its way, and nothing is read twice."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

from agent_sync.errors import LockInvalid
from agent_sync.escaping import shown
from agent_sync.lock.consistency import REMEDY
from agent_sync.lock.model import PackedTree
from agent_sync.tree import Entry, RelPath, nar
from agent_sync.tree.packing import folders_entered
from agent_sync.tree.tarball import END, file_header, folder_header, header_length, padding, size_in

_BATCH_BYTES = 1 << 18
_LARGE_BYTES = 1 << 14

_Steps = Generator[tuple[int, int], memoryview, None]
"""Asks for the next bytes: for at least so many, and for no more than so many."""


class ArrivingTree:
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
        except _NotThisTree as error:
            self._fault, self._least = str(error), 0

    def _walk(self) -> _Steps:
        """The tar, block by block. What lies between the contents of two files comes as one piece."""
        before = folder_header(b"")
        self._nar.add(nar.START)
        folder = ""
        for path, entry in self._packed.files.items():
            before += self._entered(folder, folder := path.rpartition("/")[0])
            size = yield from self._header(before, path, entry)
            yield from self._content(path, entry, size)
            before = padding(size)
        ended, _ = folders_entered(folder, "")
        self._nar.add(nar.CLOSE_FOLDER * ended + nar.FINISH)
        end = yield _exactly(len(before) + len(END))
        if end != before + END:
            raise _NotThisTree("the end is not that of a canonical tar")

    def _entered(self, folder: str, next_folder: str) -> bytes:
        """The headers of the folders that begin there."""
        ended, begun = folders_entered(folder, next_folder)
        self._nar.add(nar.CLOSE_FOLDER * ended)
        for each in begun:
            self._nar.add(nar.open_folder(each.rpartition("/")[2].encode()))
        return b"".join(folder_header(each.encode()) for each in begun)

    def _header(self, before: bytes, path: RelPath, entry: Entry) -> Generator[tuple[int, int], memoryview, int]:
        name = path.encode()
        found = bytes((yield _exactly(len(before) + header_length(name))))
        size = size_in(found)
        if size is None or found != before + file_header(name, size, executable=entry.executable):
            raise _NotThisTree(f"what comes before file {shown(path)} is not as in a canonical tar")
        self._nar.add(nar.before_file(name.rpartition(b"/")[2], size, executable=entry.executable))
        return size

    def _content(self, path: RelPath, entry: Entry, size: int) -> _Steps:
        sha256 = hashlib.sha256()
        left = size
        while left:
            piece = yield (1, left)
            sha256.update(piece)
            self._nar.add(piece)
            left -= len(piece)
        self._nar.add(nar.after_file(size))
        if sha256.hexdigest() != entry.sha256:
            check = f"file {shown(path)} has the sha256 {sha256.hexdigest()}, the lock says {entry.sha256}"
            raise _NotThisTree(check)


class _NotThisTree(Exception):
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
