"""Files held open: one for reading, one that is being written. What the system refuses comes out as our own errors."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from agent_sync.adapters.descriptors import let_go, write_all
from agent_sync.adapters.faults import fault

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RawReader(io.FileIO):
    """A file open for reading that raises FileFault where a plain one raises OSError: a disk may fail while we read."""

    def __init__(self, descriptor: int, path: str) -> None:
        super().__init__(descriptor, "rb")
        self._path = path

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise fault(error, doing="read", path=self._path) from error

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise fault(error, doing="read", path=self._path) from error


class NewDiskFile:
    """A file that is being written, by its descriptor."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path

    def write(self, chunk: bytes, /) -> None:
        """All of `chunk` is written."""
        try:
            write_all(self._descriptor, chunk)
        except OSError as error:
            raise fault(error, doing="write", path=self._path) from error

    def flush(self) -> None:
        """All that was written is on the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise fault(error, doing="flush", path=self._path) from error

    def close(self) -> None:
        """No more will be written. The system may say only now that there is no space left (NFS)."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor == -1:
            return
        try:
            os.close(descriptor)
        except OSError as error:
            raise fault(error, doing="write", path=self._path) from error

    def __del__(self) -> None:
        if self._descriptor != -1:
            let_go(self._descriptor)
