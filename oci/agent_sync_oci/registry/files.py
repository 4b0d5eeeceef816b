"""Files of a layout or archive: opened so that no link below the place is followed, written so that they appear whole.

A file that is not finished bears a name of its own and is locked by whoever writes it, so that what a killed process
left can be told from what another one is writing, and removed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Self

from agent_sync_oci.errors import PlaceFault
from agent_sync_oci.registry.protocol import Write
from agent_sync_oci.registry.verifying import chunks_of

UNFINISHED = ".unfinished-"
"""How the name of every file begins that is not finished."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a fifo must not keep us waiting for its other end.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CREATING = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_REMEDIES = {
    errno.EACCES: "give yourself the permission",
    errno.EPERM: "give yourself the permission",
    errno.EROFS: "it lies on a read-only file system: use another place",
    errno.ENOSPC: "free some space, then run it again",
    errno.EDQUOT: "free some space, then run it again",
    errno.EMFILE: "allow more open files: ulimit -n",
    errno.ENOTDIR: "move away what stands there; a link in a layout is never followed",
    errno.ELOOP: "move away what stands there; a link in a layout is never followed",
}


@contextmanager
def faults(place: str, doing: str) -> Iterator[None]:
    """What the system refuses in here is a PlaceFault, which says that `doing` something with `place` failed."""
    try:
        yield
    except OSError as error:
        raise PlaceFault(
            subject=place,
            check=f"cannot {doing}: {error.strerror or error}",
            remedy=_REMEDIES.get(error.errno or 0, "look at the place, then run it again"),
        ) from error


def open_folder(name: str, parent: int) -> int:
    """The descriptor of a folder below another; never through a link. Raises OSError."""
    return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=parent)


def open_file(name: str, parent: int | None = None) -> int:
    """The descriptor of a regular file, for reading: below a folder, where links are not followed, or anywhere.

    Raises OSError; ENXIO for what is no regular file.
    """
    descriptor = os.open(name, _READING | (os.O_NOFOLLOW if parent is not None else 0), dir_fd=parent)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "it is no regular file", name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def size_of(name: str, parent: int) -> int | None:
    """The bytes of a regular file below a folder; None if there is none. Raises OSError."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def identity(found: os.stat_result) -> tuple[int, ...]:
    """What tells a file from one that was put in its place, and from what it was before somebody wrote to it."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class NewFile:
    """A file that is being written in a folder, by its `descriptor`; gone after the block unless it was published."""

    def __init__(self, folder: int) -> None:
        """It bears a name of its own until it is published. Raises OSError."""
        self._folder = folder
        while True:
            self._name = UNFINISHED + os.urandom(8).hex()
            self.descriptor = os.open(self._name, _CREATING, 0o644, dir_fd=folder)
            if _held(self.descriptor):
                break
            os.close(self.descriptor)  # somebody took it for a left one, before we held it

    def writer(self, place: str) -> Write:
        """Writes after what was written before. Raises PlaceFault, which names `place`."""

        def write(chunk: bytes) -> None:
            with faults(place, "write"):
                write_all(self.descriptor, chunk)

        return write

    def publish(self, name: str) -> None:
        """The file is called `name`, in place of what was. Raises OSError."""
        os.rename(self._name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._name = ""

    def hide(self) -> None:
        """The file has no name any more, and can still be used. Raises OSError."""
        os.unlink(self._name, dir_fd=self._folder)
        self._name = ""

    def close(self) -> None:
        """Nothing is left of what was not published."""
        if self._name:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def sweep(folder: int) -> None:
    """No unfinished file is left that nobody writes any more. Raises OSError."""
    for name in os.listdir(folder):
        if not name.startswith(UNFINISHED):
            continue
        with suppress(OSError):  # another sweeper was faster, or it is no file of ours
            descriptor = open_file(name, folder)
            try:
                if _held(descriptor):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def write_all(descriptor: int, chunk: bytes) -> None:
    """All of `chunk` is written; the system may take it in parts. Raises OSError."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def chunks_of_file(file: BinaryIO, *, place: str) -> Iterator[bytes]:
    """What is left in `file`, piece by piece. Raises PlaceFault, which names `place`."""
    chunks = chunks_of(file)
    while True:
        with faults(place, "read"):
            chunk = next(chunks, b"")
        if not chunk:
            return
        yield chunk


def _held(descriptor: int) -> bool:
    """Whether this descriptor now holds the file, and the file still has a name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
