"""The lock's file: read whole, written atomically, and not touched when nothing changed."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from agent_sync.errors import LockMissing
from agent_sync.lock import Lock
from agent_sync.lock.reading import MAX_LOCK_BYTES, read_lock
from agent_sync.lock.writing import lock_bytes
from agent_sync.ports import Folder
from agent_sync.tree import RelPath


@dataclass(frozen=True, slots=True)
class LockFile:
    """`name` in `folder`; `shown` is how messages call it."""

    folder: Folder
    name: RelPath
    shown: str

    def content(self) -> bytes | None:
        """The bytes of the lock; None if there is none."""
        if self.folder.stat(self.name) is None:
            return None
        with self.folder.open(self.name) as file:
            return file.read(MAX_LOCK_BYTES + 1)

    def read(self) -> Lock | None:
        """The lock; None if there is none. Raises LockInvalid, UnsafePath, LimitExceeded."""
        content = self.content()
        return None if content is None else read_lock(content, file=self.shown)

    def require(self, content: bytes | None) -> Lock:
        """The lock that its `content` spells. LockMissing if there is none."""
        if content is None:
            raise LockMissing(subject=self.shown, check="there is no lock", remedy="make one: agent-sync update")
        return read_lock(content, file=self.shown)

    def write(self, lock: Lock) -> bool:
        """The file says what `lock` says; whether it had to be written."""
        return self.replace(lock_bytes(lock))

    def replace(self, content: bytes) -> bool:
        """The file has these bytes; whether it had to be written."""
        if content == self.content():
            return False
        self.folder.replace(self.name, content)
        return True

    @property
    def path(self) -> str:
        """Where it lies on the machine."""
        return posixpath.join(self.folder.name, self.name)
