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

# -- reading ---------------------------------------------------------------------------------------------------------

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: the file may be a fifo, whose other end might never be opened.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

_REMEDIES = {
    errno.EACCES: "check permissions: ls -ld {path}",
    errno.EPERM: "check permissions: ls -ld {path}",
    errno.EROFS: "name a path on a file system that can be written",
    errno.ENOSPC: "free some space, then run the command again",
    errno.EDQUOT: "free some space, then run the command again",
    errno.EMFILE: "allow more open files: ulimit -n",
    errno.ENOTDIR: "move the file or link away; a link in a layout is never followed",
    errno.ELOOP: "move the link away; a link in a layout is never followed",
}


@contextmanager
def file_errors(label: str, doing: str) -> Iterator[None]:
    """Raise FileSystemError for what the system refuses in the block: `label` names the file, `doing` the action."""
    try:
        yield
    except OSError as error:
        raise FileSystemError(
            subject=label,
            check=f"cannot {doing}: {error.strerror or error}",
            remedy=_REMEDIES.get(error.errno or 0, "check {path}, then run the command again").format(
                path=label.partition(":")[2] or label
            ),
        ) from error


def open_directory(name: str, parent: int) -> int:
    """Open a directory below another, never through a link, and return its descriptor. Raises OSError."""
    return os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def open_file(name: str, parent: int | None = None) -> int:
    """Open a regular file for reading, and return its descriptor.

    Below `parent`, where links are not followed, or anywhere. Raises OSError; ENXIO for what is not a regular file.
    """
    descriptor = os.open(name, _READING | (os.O_NOFOLLOW if parent is not None else 0), dir_fd=parent)
    with ExitStack() as on_error:
        on_error.callback(release, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "not a regular file", name)
        on_error.pop_all()
    return descriptor


def open_reader(name: str, parent: int | None = None) -> BinaryIO:
    """Open a regular file for reading, as `open_file` does. Raises OSError."""
    descriptor = open_file(name, parent)
    with ExitStack() as on_error:
        on_error.callback(release, descriptor)
        file = os.fdopen(descriptor, "rb")
        on_error.pop_all()
    return file


def size_of(name: str, parent: int) -> int | None:
    """Return the size in bytes of a regular file below a directory; None if there is none. Raises OSError."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def file_identity(found: os.stat_result) -> tuple[int, ...]:
    """Return what tells a file from one that was put in its place, and from what it was before it was written to."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def release(descriptor: int) -> None:
    """Close a descriptor through which nothing was written, whatever the system says of that."""
    with suppress(OSError):
        os.close(descriptor)


@contextmanager
def read_from(file: BinaryIO) -> Iterator[BinaryIO]:
    """Close the file after the block; an error in closing does not matter to who only reads."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def chunks_of_file(file: BinaryIO, *, label: str) -> Iterator[bytes]:
    """Yield what is left in `file`, piece by piece. Raises FileSystemError, which names `label`."""
    chunks = chunks_of(file)
    while True:
        with file_errors(label, "read"):
            chunk = next(chunks, b"")
        if not chunk:
            return
        yield chunk


# -- writing ---------------------------------------------------------------------------------------------------------


def flush_file_system(descriptor: int) -> None:
    """Bring all that was written to this file's file system to its disk. Raises OSError.

    One call for any number of blobs: syncfs(2), or sync(2) where the system has none.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


TEMPORARY = ".unfinished-"
"""The prefix of the name of every file that is not finished."""

_CREATING = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class AtomicFile:
    """A file that appears whole under its name, or not at all: gone after the block unless it was published.

    Every method raises FileSystemError, which names `label`.
    """

    def __init__(self, directory: int, *, label: str) -> None:
        self._directory = directory
        self._label = label
        self._published = False
        with file_errors(label, "write"):
            self._name, self.descriptor = _create(directory)

    def write(self, chunk: bytes, /) -> None:
        """Append the whole chunk."""
        with file_errors(self._label, "write"):
            write_all(self.descriptor, chunk)

    def flush(self) -> None:
        """Bring what was written to the disk."""
        with file_errors(self._label, "write"):
            os.fsync(self.descriptor)

    def publish(self, name: str) -> None:
        """Rename the file to `name`, in place of what was there."""
        with file_errors(self._label, "write"):
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        self._published = True

    def hide(self) -> None:
        """Take the file's name away; the file can still be used."""
        with file_errors(self._label, "write"):
            os.unlink(self._name, dir_fd=self._directory)

    def close(self) -> None:
        """Close the file, and remove it unless it was published."""
        if self._published:
            with file_errors(self._label, "write"):
                os.close(self.descriptor)  # NFS may report only now that the disk is full
            return
        with suppress(OSError):  # what cannot be removed now is removed by `remove_stale`
            os.unlink(self._name, dir_fd=self._directory)
        release(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def remove_stale(directory: int) -> None:
    """Remove every unfinished file that nobody writes any more. Raises OSError."""
    for name in os.listdir(directory):
        if name.startswith(TEMPORARY):
            with suppress(OSError):  # another process was faster, or the file is not ours
                _remove_if_stale(name, directory)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write all of `chunk`, which the system may take in parts. Raises OSError."""
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
        release(descriptor)  # another process took the file for a stale one before the lock was held


def _remove_if_stale(name: str, directory: int) -> None:
    descriptor = open_file(name, directory)
    try:
        if _lock(descriptor):
            os.unlink(name, dir_fd=directory)
    finally:
        release(descriptor)


def _lock(descriptor: int) -> bool:
    """Return whether this descriptor now holds the lock of the file, and the file still has a name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
