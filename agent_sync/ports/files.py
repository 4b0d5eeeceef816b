"""Files: one directory tree that no call leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import BinaryIO, NamedTuple, Protocol

from agent_sync.tree import RelPath, Sha256


class Kind(Enum):
    """What stands at a path; a symlink is itself, never what it points to."""

    FILE = "file"
    FOLDER = "folder"
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
    """A file that is being written. FileFault from every method if the system refuses."""

    def write(self, chunk: bytes, /) -> object:
        """All of `chunk` is written, after what was written before."""
        ...

    def flush(self) -> None:
        """All that was written is on the disk (fsync), so that a name given to it now outlives a power cut whole."""
        ...

    def close(self) -> None:
        """No more will be written; nothing happens if it is closed already."""
        ...


class Folder(Protocol):
    """One directory tree. Paths are relative to it; no call leaves it, follows a symlink or blocks on a fifo.

    Raises, from every method that takes a path:
        UnsafePath: a parent of the path is a symlink, or the path is one where a file is asked for.
        FileFault: the system refused (permission, space, input/output), or what stands there is of the wrong kind.
    """

    @property
    def name(self) -> str:
        """The absolute path, for messages and for other programs."""
        ...

    def stat(self, path: RelPath) -> Stat | None:
        """What stands at `path`; None if nothing does, as where a parent is missing or is a file."""
        ...

    def names(self, path: RelPath) -> tuple[str, ...]:
        """The names in the folder at `path`, sorted by their bytes; empty if nothing stands there.

        They are as the system has them: check them with `safe_path` before use.
        """
        ...

    def open(self, path: RelPath) -> BinaryIO:
        """The regular file at `path`, for reading. FileFault if there is none."""
        ...

    def chunks(self, path: RelPath) -> Iterator[bytes]:
        """The bytes of the regular file at `path`, all of them once; it is opened when the first are asked for.

        For reading a file from one end to the other this is the fast way. FileFault if there is none.
        """
        ...

    def digest(self, path: RelPath, *, trusting: bool = False) -> Sha256:
        """The digest of the regular file at `path`.

        With `trusting` it need not be read again, if it was hashed before and the file system says that nothing has
        touched it since.
        """
        ...

    def create(self, path: RelPath, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        """Write a new file, mode 0644 or 0755; parents are made. FileFault if something stands there."""
        ...

    def open_new(self, path: RelPath) -> NewFile:
        """A new empty file at `path`, mode 0644, for writing piece by piece; parents are made. FileFault if something
        stands there.
        """
        ...

    def replace(self, path: RelPath, content: bytes) -> None:
        """Make `path` a file with this content in one step: temporary name, fsync, rename."""
        ...

    def rename(self, old: RelPath, new: RelPath, *, into: Folder | None = None) -> None:
        """Move a file, folder or symlink; a file at `new` is replaced in one step. Parents of `new` must exist.

        `new` is a path in this folder, or in `into`. CrossesFileSystems if that lies on another file system.
        """
        ...

    def link(self, old: RelPath, new: RelPath, *, into: Folder | None = None) -> None:
        """A second name for the file at `old`; where the file system has no hard links, a copy of it.

        `new` is as in `rename`, and must not exist. CrossesFileSystems if it lies on another file system.
        """
        ...

    def remove(self, path: RelPath) -> None:
        """Remove a file or a symlink (never what it points to); nothing happens if nothing stands there."""
        ...

    def make_folder(self, path: RelPath) -> tuple[RelPath, ...]:
        """Make the folder and its parents; the ones that were made, outermost first."""
        ...

    def remove_folder(self, path: RelPath) -> bool:
        """Remove the folder if it is empty; whether it is gone."""
        ...

    def flush(self) -> None:
        """All that was written here is on the disk."""
        ...

    def lock(self, path: RelPath, *, shared: bool = False, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Hold the lock file at `path`, which is made. ProjectBusy if another process holds it for longer than
        `wait_s`.
        """
        ...

    def below(self, path: RelPath) -> Folder:
        """The folder at `path` as a Folder of its own, which cannot be left either.

        It stays this folder when another takes its name. For many files in one folder this is the fast way: a bare name
        needs no walk.
        """
        ...
