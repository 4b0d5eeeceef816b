"""Facts: what a run has read of the world, in a form that can quickly be compared with the world again.

A stat key says of a path, in five numbers, all that changes when somebody touches it.
"""

from __future__ import annotations

import os
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Bytes = bytes | memoryview

Key = tuple[int, int, int, int, int]

KEY = Struct("<QQQqq")
ABSENT = (0, 0, 0, 0, 0)
DIGEST_BYTES = 32

_KIND_AND_EXECUTABLE = 0o170100


def key_of(found: os.stat_result) -> Key:
    """Kind and executable bit, inode, size in bytes, and the times of change in nanoseconds.

    The second time, an inode's ctime, cannot be set: who writes a file, links it, renames it or sets the first one back
    leaves a mark there.
    """
    mode = found.st_mode & _KIND_AND_EXECUTABLE
    return (mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def identity(key: Key) -> Key:
    """What is left of the key of a directory that was only passed through: that it is this one."""
    return (*key[:2], 0, 0, 0)


def changed_ns(key: Key) -> int:
    """When something was touched last, as far as its key tells; there are file systems without a true ctime."""
    return max(key[3], key[4])


class Table:
    """Paths with their keys and, except where only the key matters, the digests of what stood there.

    A path is absolute, or relative to the directory in which the question was asked: that is the shorter way to walk.
    """

    __slots__ = ("_paths", "digests", "keys")

    def __init__(self, paths: Bytes, keys: Bytes, digests: Bytes = b"") -> None:
        """Each is one sequence of bytes; between paths stands a NUL."""
        self._paths = paths
        self.keys = keys
        self.digests = digests

    def __len__(self) -> int:
        return len(self.keys) // KEY.size

    @property
    def paths(self) -> bytes:
        """All of them, a NUL between each two."""
        return bytes(self._paths)

    def rows(self) -> Iterator[tuple[bytes, Key]]:
        """Each path and its key."""
        return zip(self.paths.split(b"\0"), KEY.iter_unpack(self.keys), strict=False)

    def digest_rows(self) -> Iterator[tuple[bytes, Key, bytes]]:
        """Each path, its key and its digest."""
        digests = bytes(self.digests)
        each = (digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES))
        return zip(self.paths.split(b"\0"), KEY.iter_unpack(self.keys), each, strict=False)


class Files:
    """Files that were looked at, links not followed, or absent.

    - `hashed`: to be hashed each time, whatever their keys say;
    - `trusted`: read once; their bytes are the same as long as their keys are;
    - `seen`: not read.
    """

    __slots__ = ("hashed", "seen", "trusted")

    def __init__(self, hashed: Table, trusted: Table, seen: Table) -> None:
        self.hashed = hashed
        self.trusted = trusted
        self.seen = seen

    def __len__(self) -> int:
        return len(self.hashed) + len(self.trusted) + len(self.seen)


class Facts:
    """Everything that an answer rests on.

    - `environment`: each variable that was looked at, with its `variable_digest`;
    - `program`: the files of the code that ran;
    - `roots`: directories reached through links, by identity;
    - `directories`: directories on the way to something, not reached through links, by identity;
    - `listings`: directories whose names were read, with their `names_digest`;
    - `followed`: files read through links, or absent, with the SHA-256 of their bytes;
    - `halves`: all other files, in two parts that take about as long to compare.

    `youngest_ns` is when the last touched of the files was touched whose bytes are trusted.
    """

    __slots__ = ("directories", "environment", "followed", "halves", "listings", "program", "roots", "youngest_ns")

    def __init__(
        self, environment: dict[str, bytes], tables: tuple[Table, ...], halves: tuple[Files, Files], *, youngest_ns: int
    ) -> None:
        """`tables` in the order above."""
        self.environment = environment
        self.program, self.roots, self.directories, self.listings, self.followed = tables
        self.halves = halves
        self.youngest_ns = youngest_ns

    def tables(self) -> Iterator[Table]:
        """All of them, in the order of the constructor."""
        yield from (self.program, self.roots, self.directories, self.listings, self.followed)
        for half in self.halves:
            yield from (half.hashed, half.trusted, half.seen)
