"""Files of a layout or archive: opened without following links, and written whole or not at all.

A file that is not finished has a temporary name and is locked by its writer, so that what a killed process left can be
told from what another process is writing, and removed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Self

from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.registry.protocol import chunks_of

# -- Files of a layout or archive, opened so that no link below the place is followed and no fifo keeps us waiting.

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
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
def file_errors(place: str, doing: str) -> Iterator[None]:
    """What the system refuses in here is a FileSystemError, which says that `doing` something with `place` failed."""
    try:
        yield
    except OSError as error:
        raise FileSystemError(
            subject=place,
            check=f"cannot {doing}: {error.strerror or error}",
            remedy=_REMEDIES.get(error.errno or 0, "look at the place, then run it again"),
        ) from error


def open_directory(name: str, parent: int) -> int:
    """The descriptor of a directory below another; never through a link. Raises OSError."""
    return os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def open_file(name: str, parent: int | None = None) -> int:
    """The descriptor of a regular file, for reading: below a directory, where links are not followed, or anywhere.

    Raises OSError; ENXIO for what is no regular file.
    """
    descriptor = os.open(name, _READING | (os.O_NOFOLLOW if parent is not None else 0), dir_fd=parent)
    with ExitStack() as on_error:
        on_error.callback(release, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "it is no regular file", name)
        on_error.pop_all()
    return descriptor


def open_reader(name: str, parent: int | None = None) -> BinaryIO:
    """The same as something that bytes can be read from."""
    descriptor = open_file(name, parent)
    with ExitStack() as on_error:
        on_error.callback(release, descriptor)
        file = os.fdopen(descriptor, "rb")
        on_error.pop_all()
    return file


def size_of(name: str, parent: int) -> int | None:
    """The bytes of a regular file below a directory; None if there is none. Raises OSError."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def file_identity(found: os.stat_result) -> tuple[int, ...]:
    """What tells a file from one that was put in its place, and from what it was before somebody wrote to it."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def release(descriptor: int) -> None:
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
    """What is left in `file`, piece by piece. Raises FileSystemError, which names `place`."""
    chunks = chunks_of(file)
    while True:
        with file_errors(place, "read"):
            chunk = next(chunks, b"")
        if not chunk:
            return
        yield chunk


# -- Bringing all that was written to a file system to its disk, with one call.


def flush_file_system(descriptor: int) -> None:
    """All that was written to this file's file system is on the disk: syncfs(2), or sync(2) where there is none."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# -- Files that appear whole under their name, or not at all. A file that is not finished bears a name of its own and
# is locked by whoever writes it, so that what a killed process left can be told from what another one is writing, and
# removed.

TEMPORARY = ".unfinished-"
"""How the name of every file begins that is not finished."""

_CREATING = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class AtomicFile:
    """A file that is being written in a directory, by its `descriptor`; gone after the block unless it was published.

    What the system refuses is a FileSystemError, which names `place`.
    """

    def __init__(self, directory: int, *, place: str) -> None:
        self._directory = directory
        self._place = place
        self._published = False
        with file_errors(place, "write"):
            self._name, self.descriptor = _create(directory)

    def write(self, chunk: bytes, /) -> None:
        """All of the chunk is written, after what was written before."""
        with file_errors(self._place, "write"):
            write_all(self.descriptor, chunk)

    def flush(self) -> None:
        """All that was written survives a power cut."""
        with file_errors(self._place, "write"):
            os.fsync(self.descriptor)

    def publish(self, name: str) -> None:
        """The file is called `name`, in place of what was."""
        with file_errors(self._place, "write"):
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        self._published = True

    def hide(self) -> None:
        """The file has no name any more, and can still be used."""
        with file_errors(self._place, "write"):
            os.unlink(self._name, dir_fd=self._directory)

    def close(self) -> None:
        """Nothing is left of what was not published."""
        if self._published:
            with file_errors(self._place, "write"):
                os.close(self.descriptor)  # some systems say only now that there is no space left (NFS)
            return
        with suppress(OSError):  # what cannot be removed now is swept later
            os.unlink(self._name, dir_fd=self._directory)
        release(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def remove_stale(directory: int) -> None:
    """No unfinished file is left that nobody writes any more. Raises OSError."""
    for name in os.listdir(directory):
        if name.startswith(TEMPORARY):
            with suppress(OSError):  # another sweeper was faster, or it is no file of ours
                _remove_if_stale(name, directory)


def write_all(descriptor: int, chunk: bytes) -> None:
    """All of `chunk` is written; the system may take it in parts. Raises OSError."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _unlink_quietly(name: str, directory: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _create(directory: int) -> tuple[str, int]:
    while True:
        name = TEMPORARY + os.urandom(8).hex()
        descriptor = os.open(name, _CREATING, 0o644, dir_fd=directory)
        with ExitStack() as on_error:
            on_error.callback(release, descriptor)
            on_error.callback(_unlink_quietly, name, directory)
            locked = _lock(descriptor)
            on_error.pop_all()
        if locked:
            return name, descriptor
        release(descriptor)  # somebody took it for a left one, before we held it


def _remove_if_stale(name: str, directory: int) -> None:
    descriptor = open_file(name, directory)
    try:
        if _lock(descriptor):
            os.unlink(name, dir_fd=directory)
    finally:
        release(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether this descriptor now holds the file, and the file still has a name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
