"""Files of a layout or archive, opened so that no link below the place is followed and no fifo keeps us waiting."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from agent_sync_oci.errors import PlaceFault
from agent_sync_oci.registry.verifying import chunks_of

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a fifo must not keep us waiting for its other end.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

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
        let_go(descriptor)
        raise
    return descriptor


def open_reader(name: str, parent: int | None = None) -> BinaryIO:
    """The same as something that bytes can be read from."""
    descriptor = open_file(name, parent)
    try:
        return open(descriptor, "rb")
    except BaseException:
        let_go(descriptor)
        raise


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


def let_go(descriptor: int) -> None:
    """The descriptor is closed. Nothing was written through it, so what the system says of that is of no interest."""
    with suppress(OSError):
        os.close(descriptor)


@contextmanager
def read_from(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, for the block; that it cannot be closed is of no interest to who only reads."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def chunks_of_file(file: BinaryIO, *, place: str) -> Iterator[bytes]:
    """What is left in `file`, piece by piece. Raises PlaceFault, which names `place`."""
    chunks = chunks_of(file)
    while True:
        with faults(place, "read"):
            chunk = next(chunks, b"")
        if not chunk:
            return
        yield chunk
