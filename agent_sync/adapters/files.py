"""Files of the machine: read whole, held open, or replaced in one step."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from typing import TYPE_CHECKING

from agent_sync.adapters.descriptors import CREATING, LISTING, file_error, is_link, release, write_all, wrong_kind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


MAX_BYTES = 16 * 1024 * 1024


def read_file(path: str) -> bytes | None:
    """Return the content of the file at the absolute `path`, through links; None if there is none.

    Of a file over 16 MiB, the first bytes: more than that, so that whoever reads it sees that it is too long.

    Raises: FileSystemError if it cannot be read, or is no regular file (a fifo would block for ever).
    """
    found = read_with_stat(path)
    return None if found is None else found[0]


def read_with_stat(path: str) -> tuple[bytes, os.stat_result] | None:
    """Return the content, with what the file system said of the open file before it was read."""
    with _opened(path) as file:
        if file is None:
            return None
        about = os.fstat(file.fileno())
        return file.read(MAX_BYTES + 1), about


def sha256_of_file(path: str) -> str | None:
    """Return the SHA-256 of the whole file in hexadecimal digits; None if there is none. Raise as `read_file` does."""
    with _opened(path) as file:
        return None if file is None else hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: str) -> Iterator[BufferedReader | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        raise file_error(error, doing="read", path=path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise wrong_kind(path, "not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise file_error(error, doing="read", path=path) from error
    finally:
        release(descriptor)


class RawReader(io.FileIO):
    """A file open for reading that raises FileSystemError where a plain one raises OSError: a disk may fail while
    we read.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        super().__init__(descriptor, "rb")
        self._path = path

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise file_error(error, doing="read", path=self._path) from error

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise file_error(error, doing="read", path=self._path) from error


class NewDiskFile:
    """A file that is being written, by its descriptor."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path

    def write(self, chunk: bytes, /) -> None:
        """Append all of `chunk`."""
        try:
            write_all(self._descriptor, chunk)
        except OSError as error:
            raise file_error(error, doing="write", path=self._path) from error

    def flush(self) -> None:
        """Wait until all that was written is on the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise file_error(error, doing="flush", path=self._path) from error

    def close(self) -> None:
        """Close the file. The system may say only now that there is no space left (NFS)."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor == -1:
            return
        try:
            os.close(descriptor)
        except OSError as error:
            raise file_error(error, doing="write", path=self._path) from error

    def __del__(self) -> None:
        if self._descriptor != -1:
            release(self._descriptor)


_numbers = itertools.count()


def replace_file(name: str, content: bytes, directory: int) -> None:
    """Make `name` a file with this content: others see all of the old or all of the new, also after a power cut.

    Raises:
        OSError: the system refused, ELOOP if `name` is a symlink; then nothing has changed.
    """
    if is_link(name, directory):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    temporary, descriptor = _open_temporary(directory)
    with ExitStack() as on_error:
        on_error.callback(_unlink_if_present, temporary, directory)
        _write_and_sync(descriptor, content)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        on_error.pop_all()
    fsync_directory(".", directory)


def _unlink_if_present(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _open_temporary(directory: int) -> tuple[str, int]:
    while True:
        # Unlike one fixed name, this cannot take the file away from another process that is writing.
        name = f".agent-sync-{os.getpid()}-{next(_numbers)}.tmp"
        with suppress(FileExistsError):  # left by a killed process that had our number
            return name, os.open(name, CREATING, 0o644, dir_fd=directory)


def _write_and_sync(descriptor: int, content: bytes) -> None:
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(descriptor: int) -> None:
    """Wait until all writes to this directory's file system are on the disk, with one call instead of many fsyncs.

    syncfs(2), or sync(2) where there is none. Raises: OSError.
    """
    import ctypes  # costs a third of our start-up

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def fsync_directory(name: str, parent: int) -> None:
    """Wait until the names in the directory `name` of the directory `parent` are on the disk."""
    listing = os.open(name, LISTING, dir_fd=parent)
    try:
        os.fsync(listing)
    finally:
        release(listing)
