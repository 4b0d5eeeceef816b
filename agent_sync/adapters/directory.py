"""DiskDirectory: a directory on the disk that no path leaves and no symlink leads out of."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, Self

from agent_sync.adapters.descriptors import (
    CREATING,
    DIRECTORY,
    LISTING,
    LOCKING,
    READING,
    ParentDirectory,
    file_error,
    hold_lock,
    is_link,
    pieces,
    release,
    symlink_error,
    walk,
    write_all,
    wrong_kind,
)
from agent_sync.adapters.files import NewDiskFile, RawReader, fsync_directory, replace_file, sync_file_system
from agent_sync.errors import AgentSyncError, FileSystemError
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.tree import ROOT, RelPath, Sha256, join, parent

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}
_ABSENT = (FileNotFoundError, NotADirectoryError)
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY)  # EBUSY: something is mounted there


class DiskDirectory:
    """The directory at an absolute path, held by a descriptor; links on the way to it are the user's and are followed.

    Nothing is remembered between calls: to prove that a remembered descriptor is still that of its path costs as much
    as to walk there again (measured), and to trust it would be to write wherever that directory was moved. Any thread
    may call.
    """

    def __init__(self, path: str) -> None:
        self._name = os.path.abspath(path)
        try:
            self._root = os.open(path, DIRECTORY & ~os.O_NOFOLLOW)
        except OSError as error:
            raise file_error(error, doing="open the directory", path=self._name) from error

    def __del__(self) -> None:
        if hasattr(self, "_root"):
            release(self._root)

    @property
    def name(self) -> str:
        """The absolute path."""
        return self._name

    def stat(self, path: RelPath) -> Stat | None:
        """Return what is at `path`; None if nothing is."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except _ABSENT:
            return None
        except OSError as error:
            raise self._fault(error, "look at", path) from error
        mode = found.st_mode
        kind = _KINDS.get(stat.S_IFMT(mode), Kind.OTHER)
        return Stat(kind, found.st_size, bool(mode & 0o100), found.st_ctime_ns, found.st_mtime_ns, found.st_ino)

    def names(self, path: RelPath) -> tuple[str, ...]:
        """Return the names in the directory at `path`, sorted by their bytes; none if nothing is there."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                return _list(name, directory)
        except FileNotFoundError:
            return ()
        except NotADirectoryError as error:
            if self.stat(path) is None:
                return ()
            raise self._fault(error, "list", path) from error
        except OSError as error:
            raise self._fault(error, "list", path) from error

    def open(self, path: RelPath) -> BinaryIO:
        """Open the regular file at `path` for reading."""
        descriptor, _ = self._open_file(path)
        return io.BufferedReader(RawReader(descriptor, self._full(path)), 1 << 16)

    def chunks(self, path: RelPath) -> Iterator[bytes]:
        """Yield the bytes of the regular file at `path`, as they are when they are asked for."""
        return self._pieces(path)

    def digest(self, path: RelPath, *, trusting: bool = False) -> Sha256:  # noqa: ARG002  # nothing is remembered here
        """Return the digest of the regular file at `path`."""
        digest = hashlib.sha256()
        for piece in self._pieces(path):
            digest.update(piece)
        return Sha256(digest.hexdigest())

    def create(self, path: RelPath, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        """Write a new file; nothing of it stays if that does not succeed."""
        descriptor = self._open_new(path, executable=executable)
        with ExitStack() as on_error:
            on_error.callback(self._remove_quietly, path)
            self._fill(descriptor, path, chunks)
            on_error.pop_all()

    def open_new(self, path: RelPath) -> NewDiskFile:
        """Make an empty file at `path`, for writing piece by piece."""
        return NewDiskFile(self._open_new(path, executable=False), self._full(path))

    def replace(self, path: RelPath, content: bytes) -> None:
        """Make `path` a file with this content in one step; directories that are missing on the way are made."""
        self.make_directory(parent(path))
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                replace_file(name, content, directory)
        except OSError as error:
            raise self._fault(error, "write", path) from error

    def rename(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        """Move a file, directory or symlink; a file at `new` is replaced in one step."""
        try:
            with (
                ParentDirectory(self._root, old) as (here, name),
                ParentDirectory(_on_disk(into or self)._root, new) as (there, target),
            ):
                os.rename(name, target, src_dir_fd=here, dst_dir_fd=there)
        except OSError as error:
            raise self._fault(error, f"rename to {new}", old) from error

    def link(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        """Give the file at `old` a second name; where the file system has no hard links, copy it."""
        other = _on_disk(into or self)
        try:
            with ParentDirectory(self._root, old) as (here, name), ParentDirectory(other._root, new) as (there, target):
                if is_link(name, here):
                    raise symlink_error(self._full(old))
                os.link(name, target, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise self._fault(error, f"link to {new}", old) from error
            self._copy(old, new, other)

    def remove(self, path: RelPath) -> None:
        """Remove a file or a symlink; nothing happens if nothing is there."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                os.unlink(name, dir_fd=directory)
        except _ABSENT:
            return
        except OSError as error:
            raise self._fault(error, "remove", path) from error

    def make_directory(self, path: RelPath) -> tuple[RelPath, ...]:
        """Make the directory and its parents; return those that were missing, outermost first."""
        made: list[RelPath] = []
        here = ROOT

        def steps() -> Iterator[str]:
            nonlocal here
            for name in path.split("/"):
                here = join(here, RelPath(name))
                yield name

        def make(name: str, directory: int) -> None:
            try:
                os.mkdir(name, dir_fd=directory)
            except FileExistsError:
                return  # another process was faster
            made.append(here)

        try:
            release(walk(self._root, steps(), missing=make))
        except OSError as error:
            raise self._fault(error, "make the directory", here) from error
        return tuple(made)

    def remove_directory(self, path: RelPath) -> bool:
        """Remove the directory if it is empty; return whether it is gone."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                if is_link(name, directory):
                    raise symlink_error(self._full(path))
                os.rmdir(name, dir_fd=directory)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in _STAYS:
                return False
            raise self._fault(error, "remove the directory", path) from error
        return True

    def flush(self) -> None:
        """Wait until all that was written on this file system is on the disk."""
        try:
            listing = os.open(".", LISTING, dir_fd=self._root)
            try:
                sync_file_system(listing)
            finally:
                release(listing)
        except OSError as error:
            raise self._fault(error, "flush", ROOT) from error

    def fsync_directory(self, path: RelPath) -> None:
        """Wait until the names in the directory at `path` are on the disk."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                fsync_directory(name, directory)
        except OSError as error:
            raise self._fault(error, "flush", path) from error

    @contextmanager
    def lock(self, path: RelPath, *, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the lock file at `path`, which is made."""
        self.make_directory(parent(path))

        def open_it() -> int:
            with ParentDirectory(self._root, path) as (directory, name):
                return os.open(name, LOCKING, 0o666, dir_fd=directory)

        try:
            held = hold_lock(open_it, path=self._full(path), shared=shared, wait_s=wait_s)
        except OSError as error:
            raise self._fault(error, "lock", path) from error
        try:
            yield
        finally:
            release(held)

    def below(self, path: RelPath) -> Self:
        """Open the directory at `path` as a Directory of its own."""
        try:
            return self._held(walk(self._root, path.split("/")), self._full(path))
        except OSError as error:
            raise self._fault(error, "open the directory", path) from error

    def _held(self, descriptor: int, name: str) -> Self:
        """Return the directory of that descriptor, of the same class."""
        directory = self.__class__.__new__(self.__class__)
        directory._name = name
        directory._root = descriptor
        return directory

    def _remove_quietly(self, path: RelPath) -> None:
        with suppress(FileSystemError):  # what failed first is what is to be told
            self.remove(path)

    def _full(self, path: str) -> str:
        return self._name if path == ROOT else f"{self._name}/{path}"

    def _fault(self, error: OSError, doing: str, path: str) -> AgentSyncError:
        return file_error(error, doing=doing, path=self._full(path))

    def _open_file(self, path: RelPath) -> tuple[int, int]:
        """Open the regular file; return its descriptor and size."""
        try:
            with ParentDirectory(self._root, path) as (directory, name):
                descriptor = os.open(name, READING, dir_fd=directory)
            try:
                found = os.fstat(descriptor)
            except OSError:
                release(descriptor)
                raise
        except OSError as error:
            raise self._fault(error, "read", path) from error
        if not stat.S_ISREG(found.st_mode):
            release(descriptor)
            raise wrong_kind(self._full(path), "not a regular file")
        return descriptor, found.st_size

    def _pieces(self, path: RelPath) -> Iterator[bytes]:
        descriptor, size = self._open_file(path)
        try:
            yield from pieces(descriptor, size)
        except OSError as error:
            raise self._fault(error, "read", path) from error
        finally:
            release(descriptor)

    def _open_new(self, path: RelPath, *, executable: bool) -> int:
        try:
            try:
                return _new_file(self._root, path, executable=executable)
            except FileNotFoundError:
                self.make_directory(parent(path))
                return _new_file(self._root, path, executable=executable)
        except OSError as error:
            raise self._fault(error, "create", path) from error

    def _fill(self, descriptor: int, path: RelPath, chunks: Iterable[bytes]) -> None:
        """Write what `chunks` yields, and close the file."""
        try:
            with ExitStack() as on_error:
                on_error.callback(release, descriptor)
                for chunk in chunks:
                    write_all(descriptor, chunk)
                on_error.pop_all()
            os.close(descriptor)  # some file systems (NFS) say only now that there is no space left
        except OSError as error:
            raise self._fault(error, "write", path) from error

    def _copy(self, old: RelPath, new: RelPath, other: DiskDirectory) -> None:
        found = self.stat(old)
        other.create(new, self.chunks(old), executable=found is not None and found.executable)


def _list(name: str, directory: int) -> tuple[str, ...]:
    try:
        # A descriptor of its own: listing moves the position in it, which threads would share.
        listing = os.open(name, LISTING, dir_fd=directory)
    except NotADirectoryError as error:
        if is_link(name, directory):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error
        raise
    try:
        return tuple(sorted(os.listdir(listing), key=os.fsencode))
    finally:
        release(listing)


def _new_file(root: int, path: str, *, executable: bool) -> int:
    if "/" not in path and path != ".." and not executable:  # the way of most files, and there are thousands of them
        return os.open(path, CREATING, 0o644, dir_fd=root)
    with ParentDirectory(root, path) as (directory, name):
        if not executable:
            return os.open(name, CREATING, 0o644, dir_fd=directory)
        descriptor = os.open(name, CREATING, 0o755, dir_fd=directory)
        try:
            # The umask may take from group and others what it likes, but what is executable must be so for somebody.
            os.fchmod(descriptor, os.fstat(descriptor).st_mode | 0o100)
        except OSError:
            release(descriptor)
            os.unlink(name, dir_fd=directory)
            raise
        return descriptor


def _on_disk(directory: Directory) -> DiskDirectory:
    if not isinstance(directory, DiskDirectory):
        raise TypeError(f"{directory!r} is not on the disk")
    return directory
