"""Nix as it is installed here, and the narHash of files on disk, with no more system calls than `nix-hash` makes.

Hashing needs no Nix, and loads nothing that only running a program needs: `agent-sync nix hash` answers at once.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.adapters.descriptors import LISTING, READING, file_error, release, wrong_kind
from agent_sync.errors import DigestMismatch, FileSystemError
from agent_sync.tree import nar
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.adapters.program import Completed
    from agent_sync.ports import Cancellation

# -- narHash ---------------------------------------------------------------------------------------------------------
# Directories are walked by descriptors and a stack: however deep they are, nothing recurses, and no link is followed.


def nar_hash(path: str, *, poll: Callable[[], object]) -> str:
    """Return the narHash of the file, directory or link at `path`; `poll` is called now and then.

    Raises:
        FileSystemError: the system refused.
        DigestMismatch: something changed while it was read.
    """
    hashing = _NarHasher(poll)
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            hashing.add(nar.link_alone(os.fsencode(os.readlink(path))))
        elif stat.S_ISREG(mode):
            hashing.file_alone(path)
        elif stat.S_ISDIR(mode):
            hashing.directory(path)
        else:
            raise wrong_kind(path, "not a file, directory or link")
    except OSError as error:
        raise file_error(error, doing="read", path=hashing.where or path) from error
    return hashing.sri()


class _OpenDirectory(NamedTuple):
    """An open directory: its descriptor, its path, and the entries still to come."""

    descriptor: int
    path: str
    entries: Iterator[tuple[bytes, os.DirEntry[str]]]


class _NarHasher(nar.NarHash):
    """The narHash of what is read from the disk. `where` is what was read last."""

    def __init__(self, poll: Callable[[], object]) -> None:
        super().__init__()
        self.where = ""
        self._poll = poll

    def file_alone(self, path: str) -> None:
        """Add the file by itself, at an absolute path."""
        descriptor = os.open(path, READING)
        try:
            size, executable = _size_and_mode(descriptor, path)
            self.add(nar.before_alone(size, executable=executable))
            self._content(descriptor, size, path)
            self.add(nar.after_alone(size))
        finally:
            release(descriptor)

    def directory(self, path: str) -> None:
        """Add everything below the directory, depth first, names in byte order."""
        self.add(nar.START)
        open_directories = [_opened(path, None, path)]
        try:
            while open_directories:
                here = open_directories[-1]
                below = self._files_of(here)
                if below is not None:
                    self.where = _path(here, below)
                    open_directories.append(_opened(below, here.descriptor, self.where))
                    self.add(nar.open_directory(below))
                else:
                    release(open_directories.pop().descriptor)
                    self.add(nar.CLOSE_DIRECTORY if open_directories else nar.FINISH)
        finally:
            for each in open_directories:
                release(each.descriptor)

    def _files_of(self, here: _OpenDirectory) -> bytes | None:
        """Add files and links up to the next directory, and return its name; None at the end."""
        for name, entry in here.entries:
            if entry.is_file(follow_symlinks=False):
                self._file(name, here)
            elif entry.is_dir(follow_symlinks=False):
                return name
            elif entry.is_symlink():
                self.where = _path(here, name)
                self.add(nar.link(name, os.readlink(name, dir_fd=here.descriptor)))
            else:
                raise wrong_kind(_path(here, name), "not a file, directory or link")
        return None

    def _file(self, name: bytes, here: _OpenDirectory) -> None:
        """Add one file of many thousands: what is done here is done for each."""
        descriptor = -1
        try:
            descriptor = os.open(name, READING, dir_fd=here.descriptor)
            found = os.fstat(descriptor)
            size, mode = found.st_size, found.st_mode
            before = nar.before_file(name, size, executable=mode & 0o100 != 0)
            if mode & 0o170000 != 0o100000 or size >= nar.BATCH_BYTES:
                self._unusual(descriptor, before, _path(here, name))
                return
            content = os.read(descriptor, size + 1)
            if len(content) != size:
                raise _changed(_path(here, name))
        except OSError:
            self.where = _path(here, name)
            raise
        finally:
            if descriptor != -1:
                os.close(descriptor)
        self._parts += (before, content, nar.after_file(size))
        self._pending_bytes += size + len(before)
        if self._pending_bytes >= nar.BATCH_BYTES:
            self._flush()

    def _unusual(self, descriptor: int, before: bytes, path: str) -> None:
        """Add a file that is read in pieces, or is no file any more."""
        size, _ = _size_and_mode(descriptor, path)
        self.add(before)
        self._content(descriptor, size, path)
        self.add(nar.after_file(size))

    def _content(self, descriptor: int, size: int, path: str) -> None:
        """Add the bytes of an open file, which must be `size`."""
        left = size
        while left >= 0 and (chunk := os.read(descriptor, nar.BATCH_BYTES)):
            left -= len(chunk)
            self.add(chunk)
        if left != 0:
            raise _changed(path)

    def _flush(self) -> None:
        self._poll()
        super()._flush()


def _size_and_mode(descriptor: int, path: str) -> tuple[int, bool]:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _changed(path)
    return found.st_size, bool(found.st_mode & stat.S_IXUSR)


def _path(here: _OpenDirectory, name: bytes) -> str:
    return f"{here.path}/{os.fsdecode(name)}"


def _opened(name: str | bytes, above: int | None, path: str) -> _OpenDirectory:
    try:
        descriptor = os.open(name, LISTING, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _changed(path) from error
        raise
    try:
        with os.scandir(descriptor) as found:
            entries = sorted((os.fsencode(entry.name), entry) for entry in found)
    except OSError:
        release(descriptor)
        raise
    return _OpenDirectory(descriptor, path, iter(entries))


def _changed(path: str) -> DigestMismatch:
    return DigestMismatch(
        subject=f"file {quoted(path)}",
        check="the file changed while it was read",
        remedy="rerun the command when nothing writes there",
    )


# -- the program `nix` -------------------------------------------------------------------------------------------------

_TIMEOUT_S = 3600.0
_AT_ONCE = 500  # paths for one process: a command line is not as long as one likes


class InstalledNix:
    """Implements `ports.Nix` with the program `nix`, found on PATH, and the settings of its user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def store_dir(self) -> str:
        """Return the directory that Nix itself uses."""
        from agent_sync.nix.store_paths import STORE_DIR

        return self._environment.get("NIX_STORE_DIR") or STORE_DIR

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        """Return the narHash, without asking Nix: see `nar_hash`."""
        return nar_hash(os.path.abspath(path), poll=cancellation.check)

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        """Copy these paths into Nix's store from the binary cache in the directory `cache`."""
        from agent_sync.adapters.program import Bounds, run

        bounds = Bounds("Nix store", _TIMEOUT_S, poll=cancellation.check)
        with _address(cache) as address:
            argv = ("nix", "--extra-experimental-features", "nix-command", "copy", "--from", address)
            for start in range(0, len(paths), _AT_ONCE):
                wanted = paths[start : start + _AT_ONCE]
                _refuse_failed(run((*argv, *wanted), bounds, environment=self._environment, directory=cache))


@contextmanager
def _address(directory: str) -> Iterator[str]:
    """Yield the URL of a cache in that directory. Nix 2.8 does not decode `%20`, so a plain link takes its place."""
    import tempfile
    from urllib.parse import quote

    if quote(directory) == directory:
        yield f"file://{directory}"
        return
    with tempfile.TemporaryDirectory() as plain:
        os.symlink(directory, f"{plain}/cache")
        yield f"file://{plain}/cache"


def _refuse_failed(completed: Completed) -> None:
    if completed.exit_code != 0:
        raise FileSystemError(
            subject="Nix store",
            check=f"nix copy ended with {completed.exit_code}: {_last_line(completed.stderr)}",
            remedy="see whether Nix works here: nix store ping",
        )


def _last_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip() and "--show-trace" not in line]
    return lines[-1].strip() if lines else "no output"
