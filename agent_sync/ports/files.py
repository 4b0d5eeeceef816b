"""Files: one directory tree that no call leaves, and the removal of whatever is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from itertools import count
from typing import BinaryIO, NamedTuple, Protocol

from agent_sync.errors import FileSystemError, LimitExceeded
from agent_sync.tree import ROOT, RelPath, Sha256, join
from agent_sync_oci.digest import Digest


class Kind(Enum):
    """What is at a path; a symlink is itself, never what it points to."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


class Stat(NamedTuple):
    """What the file system says of one path without reading it. Sizes in bytes, times in nanoseconds."""

    kind: Kind
    size: int
    executable: bool
    changed_ns: int
    modified_ns: int
    inode: int


class NewFile(Protocol):
    """A file that is being written. FileSystemError from every method if the system refuses."""

    def write(self, chunk: bytes, /) -> object:
        """Append all of `chunk`."""
        ...

    def flush(self) -> None:
        """Wait until all that was written is on the disk (fsync), so that a name given now outlives a power cut."""
        ...

    def close(self) -> None:
        """Close the file; nothing happens if it is closed already."""
        ...


class Directory(Protocol):
    """One directory tree. Paths are relative to it; no call leaves it, follows a symlink or blocks on a fifo.

    Raises, from every method that takes a path:
        UnsafePath: a parent of the path is a symlink, or the path is one where a file is asked for.
        FileSystemError: the system refused (permission, space, input/output), or what is at the path is of the
          wrong kind.
    """

    @property
    def name(self) -> str:
        """The absolute path, for messages and for other programs."""
        ...

    def stat(self, path: RelPath) -> Stat | None:
        """Return what is at `path`; None if nothing is, as where a parent is missing or is a file."""
        ...

    def names(self, path: RelPath) -> tuple[str, ...]:
        """Return the names in the directory at `path`, sorted by their bytes; none if nothing is at `path`.

        They are as the system has them: check them with `safe_path` before use.
        """
        ...

    def open(self, path: RelPath) -> BinaryIO:
        """Open the regular file at `path` for reading. Raise FileSystemError if there is none."""
        ...

    def chunks(self, path: RelPath) -> Iterator[bytes]:
        """Yield the bytes of the regular file at `path`, which is opened when the first are asked for.

        The fast way to read a file from one end to the other. Raise FileSystemError if there is none.
        """
        ...

    def digest(self, path: RelPath, *, trusting: bool = False) -> Sha256:
        """Return the digest of the regular file at `path`.

        With `trusting` the file need not be read again, if it was hashed before and the file system says that nothing
        has touched it since.
        """
        ...

    def create(self, path: RelPath, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        """Write a new file, mode 0644 or 0755; parents are made. Raise FileSystemError if something is there."""
        ...

    def open_new(self, path: RelPath) -> NewFile:
        """Make an empty file at `path`, mode 0644, for writing piece by piece; parents are made.

        Raises: FileSystemError if something is there.
        """
        ...

    def replace(self, path: RelPath, content: bytes) -> None:
        """Make `path` a file with this content in one step: temporary name, fsync, rename, fsync of the directory."""
        ...

    def rename(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        """Move a file, directory or symlink; a file at `new` is replaced in one step. Parents of `new` must exist.

        `new` is a path in this directory, or in `into`. CrossDeviceLink if that is on another file system.
        """
        ...

    def link(self, old: RelPath, new: RelPath, *, into: Directory | None = None) -> None:
        """Give the file at `old` a second name; where the file system has no hard links, a copy of it.

        `new` is as in `rename`, and must not exist. CrossDeviceLink if it is on another file system.
        """
        ...

    def remove(self, path: RelPath) -> None:
        """Remove a file or a symlink (never what it points to); nothing happens if nothing is there."""
        ...

    def make_directory(self, path: RelPath) -> tuple[RelPath, ...]:
        """Make the directory and its parents; return those that were missing, outermost first."""
        ...

    def remove_directory(self, path: RelPath) -> bool:
        """Remove the directory if it is empty; return whether it is gone."""
        ...

    def flush(self) -> None:
        """Wait until all that was written on this file system is on the disk (syncfs)."""
        ...

    def fsync_directory(self, path: RelPath) -> None:
        """Wait until the names in the directory at `path` are on the disk, as after a rename."""
        ...

    def lock(self, path: RelPath, *, shared: bool = False, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Hold the lock file at `path`, which is made if it is missing.

        Raises: ProjectBusy if another process holds it for longer than `wait_s`.
        """
        ...

    def below(self, path: RelPath) -> Directory:
        """Open the directory at `path` as a Directory of its own, which no call leaves either.

        It stays this directory when another takes its name. The fast way to many files in one directory: a bare name
        needs no walk.
        """
        ...


def sweep(path: RelPath, *, directory: Directory) -> None:
    """Remove whatever is at `path`; a symlink is removed, not followed.

    Without recursion: whoever left it there may have nested it deeper than a stack goes, or than a path may be long.
    """
    stat = directory.stat(path)
    if stat is None or stat.kind is not Kind.DIRECTORY:
        directory.remove(path)
        return
    top = directory.below(path)
    numbers = count()
    while names := top.names(ROOT):
        for name in map(RelPath, names):
            _empty(name, top, numbers)
    directory.remove_directory(path)


def _empty(name: RelPath, top: Directory, numbers: Iterator[int]) -> None:
    """Remove what is at `name` in `top`; directories in it are moved up to `top`, so that no path ever gets
    long.
    """
    stat = top.stat(name)
    if stat is None or stat.kind is not Kind.DIRECTORY:
        top.remove(name)
        return
    inside = top.below(name)
    for child in map(RelPath, inside.names(ROOT)):
        try:
            inside.remove(child)  # as a rule it is a file; to look first would cost as much again
        except FileSystemError:
            found = inside.stat(child)
            if found is None or found.kind is not Kind.DIRECTORY:
                raise
            if not inside.remove_directory(child):
                inside.rename(child, _free(top, numbers), into=top)
    top.remove_directory(name)


def _free(top: Directory, numbers: Iterator[int]) -> RelPath:
    return next(name for name in (RelPath(f"swept-{number}") for number in numbers) if top.stat(name) is None)


def read_bounded(path: RelPath, directory: Directory, *, max_bytes: int, remedy: str) -> bytes | None:
    """Return the content of the file at `path`; None if nothing is there.

    Raises: LimitExceeded if it has more than `max_bytes`; UnsafePath, FileSystemError.
    """
    stat = directory.stat(path)
    if stat is None:
        return None
    content = b""
    if stat.size <= max_bytes:
        with directory.open(path) as file:
            content = file.read(max_bytes + 1)
    if stat.size > max_bytes or len(content) > max_bytes:  # it may have grown meanwhile
        check = f"the file has more than the {max_bytes} bytes that it may have"
        raise LimitExceeded(subject=f"file {path}", check=check, remedy=remedy)
    return content


class Level(NamedTuple):
    """One directory of those below another: its path, the open directory, and its entries."""

    path: RelPath
    directory: Directory
    inside: tuple[tuple[RelPath, Stat], ...]


def levels(path: RelPath, *, directory: Directory) -> Iterator[Level]:
    """Yield the directory at `path` and each one below it, parents first.

    There is no recursion: whoever left the directories there may have nested them deeper than a stack goes.

    Raises: UnsafePath, FileSystemError if there is no directory at `path`.
    """
    paths = [path]
    for here in paths:  # it grows as we go
        below = directory.below(here)
        found = ((RelPath(name), below.stat(RelPath(name))) for name in below.names(ROOT))
        level = Level(here, below, tuple((name, stat) for name, stat in found if stat is not None))
        paths.extend(join(here, name) for name, stat in level.inside if stat.kind is Kind.DIRECTORY)
        yield level


def copy(old: RelPath, new: RelPath, *, source: Directory, into: Directory) -> None:
    """Copy the file or directory `old` of `source` to `new` in `into`, with executable bits: where no rename reaches.

    Raises: UnsafePath, FileSystemError.
    """
    stat = source.stat(old)
    if stat is not None and stat.kind is Kind.DIRECTORY:
        into.make_directory(new)
        for name in source.names(old):
            copy(join(old, RelPath(name)), join(new, RelPath(name)), source=source, into=into)
    else:
        into.create(new, source.chunks(old), executable=stat is not None and stat.executable)


class AppliedState(Protocol):
    """The lock that was last applied to a checkout, as the bytes of its file.

    A run that writes targets stages the new state beside its journal, and `commit` is its commit point: before it the
    run can only be undone, after it only be finished. So whatever an implementation keeps besides (a history, say), one
    rename in `commit` decides.

    Raises, from every method:
        UnsafePath: the place of the state is a symlink.
        FileSystemError: the system refused, or something else is in that place.
        LimitExceeded: the state is larger than any lock may be.
    """

    def read(self) -> bytes | None:
        """Return the state that is in force; None if nothing was applied yet."""
        ...

    def written_at_s(self) -> float | None:
        """Return when it was committed, in seconds since 1970."""
        ...

    def commit(self, staged: RelPath) -> None:
        """Make the file `staged`, a path in the project, the state in force, by one rename."""
        ...

    def write(self, content: bytes) -> None:
        """Put `content` in force where the targets are what it says already; writing the same again changes nothing."""
        ...

    def witness(self) -> Digest | None:
        """Return the digest of the state in force, for whoever records what this machine wrote; None if there is none.

        The digest is that of the bytes given to `commit` or `write`, so a state that somebody else put there shows.
        """
        ...
