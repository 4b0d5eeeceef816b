"""Files that appear whole under their name, or not at all.

A file that is not finished bears a name of its own and is locked by whoever writes it, so that what a killed process
left can be told from what another one is writing, and removed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from types import TracebackType
from typing import Self

from agent_sync_oci.registry.files import faults, let_go, open_file

UNFINISHED = ".unfinished-"
"""How the name of every file begins that is not finished."""

_CREATING = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFile:
    """A file that is being written in a folder, by its `descriptor`; gone after the block unless it was published.

    What the system refuses is a PlaceFault, which names `place`.
    """

    def __init__(self, folder: int, *, place: str) -> None:
        self._folder = folder
        self._place = place
        self._published = False
        with faults(place, "write"):
            self._name, self.descriptor = _create(folder)

    def write(self, chunk: bytes, /) -> None:
        """All of the chunk is written, after what was written before."""
        with faults(self._place, "write"):
            write_all(self.descriptor, chunk)

    def flush(self) -> None:
        """All that was written survives a power cut."""
        with faults(self._place, "write"):
            os.fsync(self.descriptor)

    def publish(self, name: str) -> None:
        """The file is called `name`, in place of what was."""
        with faults(self._place, "write"):
            os.rename(self._name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._published = True

    def hide(self) -> None:
        """The file has no name any more, and can still be used."""
        with faults(self._place, "write"):
            os.unlink(self._name, dir_fd=self._folder)

    def close(self) -> None:
        """Nothing is left of what was not published."""
        if self._published:
            with faults(self._place, "write"):
                os.close(self.descriptor)  # some systems say only now that there is no space left (NFS)
            return
        with suppress(OSError):  # what cannot be removed now is swept later
            os.unlink(self._name, dir_fd=self._folder)
        let_go(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def sweep(folder: int) -> None:
    """No unfinished file is left that nobody writes any more. Raises OSError."""
    for name in os.listdir(folder):
        if name.startswith(UNFINISHED):
            with suppress(OSError):  # another sweeper was faster, or it is no file of ours
                _remove_if_left(name, folder)


def write_all(descriptor: int, chunk: bytes) -> None:
    """All of `chunk` is written; the system may take it in parts. Raises OSError."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _create(folder: int) -> tuple[str, int]:
    while True:
        name = UNFINISHED + os.urandom(8).hex()
        descriptor = os.open(name, _CREATING, 0o644, dir_fd=folder)
        try:
            if _hold(descriptor):
                return name, descriptor
        except BaseException:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            let_go(descriptor)
            raise
        let_go(descriptor)  # somebody took it for a left one, before we held it


def _remove_if_left(name: str, folder: int) -> None:
    descriptor = open_file(name, folder)
    try:
        if _hold(descriptor):
            os.unlink(name, dir_fd=folder)
    finally:
        let_go(descriptor)


def _hold(descriptor: int) -> bool:
    """Whether this descriptor now holds the file, and the file still has a name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
