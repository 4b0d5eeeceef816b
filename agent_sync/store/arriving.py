"""A canonical tar while it comes in: every file is compared with the lock on its way, and nothing is read again."""

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


class ArrivingTree:
    """Takes the bytes of a tar, in pieces of any size, and holds them against all that the lock says of it.

    Whether they are the locked blob is for others to say: they hash every byte as well.
    """

    def __init__(self, packed: PackedTree, *, subject: str) -> None:
        """`subject` is who says what the tree is, for messages."""
        self._packed = packed
        self._subject = subject
        self._size = 0
        self._held = bytearray()
        self._wanted = 0
        self._fault: str | None = None
        self._nar_hash = hashlib.sha256()
        self._nar_parts: list[bytes] = []
        self._nar_held = 0
        self._walk = self._steps()
        self._advance(None)

    def write(self, piece: bytes, /) -> None:
        """These bytes come next. What is wrong with them is told at the end."""
        self._size += len(piece)
        left = memoryview(piece)
        while left and self._fault is None:
            if self._wanted < 0:  # content, which is not held
                taken = left[: -self._wanted]
                self._advance(taken)
            else:
                taken = left[: self._wanted - len(self._held)]
                self._held += taken
                if len(self._held) == self._wanted:
                    self._advance(memoryview(bytes(self._held)))
                    self._held.clear()
            left = left[len(taken) :]

    def finish(self) -> None:
        """Nothing, if all of it was what the lock says.

        Raises: LockInvalid.
        """
