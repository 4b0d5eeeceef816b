"""The facts that an answer rests on, and the receipt that holds both, as values and as bytes.

A stat key holds, in five numbers, all that changes when somebody touches a path (git: stat data). A receipt is a
sequence of sections behind a checksum of them all; nothing in it can be executed.
"""

from __future__ import annotations

import os
import struct
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

try:  # quick, and there without OpenSSL, which alone takes 2 ms to load
    from _blake2 import blake2b
except ImportError:  # an interpreter built without it
    from hashlib import blake2b

UNSET = bytes(16)


def checksum(content: bytes | memoryview) -> bytes:
    """Return a 32-byte digest of the content."""
    return blake2b(content, digest_size=32).digest()


def names_digest(names: list[bytes]) -> bytes:
    """Return a 32-byte digest of the names in a directory, which are sorted."""
    return checksum(b"\0".join(names))


def short_name(content: bytes) -> str:
    """Return 32 hexadecimal digits to look something up by."""
    return blake2b(content, digest_size=16).hexdigest()


def variable_digest(value: str | None) -> bytes:
    """Return 16 bytes for the value of an environment variable, which may be a secret; zeros for one that is unset."""
    return UNSET if value is None else blake2b(os.fsencode(value), digest_size=16).digest()


# -- facts -------------------------------------------------------------------------------------------------------------

if TYPE_CHECKING:
    Bytes = bytes | memoryview

StatKey = tuple[int, int, int, int, int]

STAT_KEY = Struct("<QQQqq")
ABSENT = (0, 0, 0, 0, 0)
DIGEST_BYTES = 32

_KIND_AND_EXECUTABLE = 0o170100


def stat_key(found: os.stat_result) -> StatKey:
    """Return kind and executable bit, inode, size in bytes, and the times of change in nanoseconds.

    The second time, an inode's ctime, cannot be set: whoever writes a file, links it, renames it or resets its mtime
    leaves a mark there.
    """
    mode = found.st_mode & _KIND_AND_EXECUTABLE
    return (mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def identity(key: StatKey) -> StatKey:
    """Return the part of a directory's key that says which directory it is, whatever has changed inside."""
    return (*key[:2], 0, 0, 0)


def changed_ns(key: StatKey) -> int:
    """Return when a path was last touched, as far as its key tells; some file systems have no true ctime."""
    return max(key[3], key[4])


class Table:
    """Paths with their keys and, except where only the key matters, the digests of what was there.

    A path is absolute, or relative to the directory in which the program was run: that is the shorter way to walk.
    """

    __slots__ = ("_paths", "digests", "keys")

    def __init__(self, paths: Bytes, keys: Bytes, digests: Bytes = b"") -> None:
        """Take three sequences of bytes; the paths are separated by NUL."""
        self._paths = paths
        self.keys = keys
        self.digests = digests

    def __len__(self) -> int:
        return len(self.keys) // STAT_KEY.size

    @property
    def paths(self) -> bytes:
        """Return all paths, separated by NUL."""
        return bytes(self._paths)

    def rows(self) -> Iterator[tuple[bytes, StatKey]]:
        """Yield each path and its key."""
        return zip(self.paths.split(b"\0"), STAT_KEY.iter_unpack(self.keys), strict=False)

    def digest_rows(self) -> Iterator[tuple[bytes, StatKey, bytes]]:
        """Yield each path, its key and its digest."""
        digests = bytes(self.digests)
        each = (digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES))
        return zip(self.paths.split(b"\0"), STAT_KEY.iter_unpack(self.keys), each, strict=False)


class Files:
    """Files that were looked at without following links, or that were absent.

    - `hashed`: to be hashed each time, whatever their keys are;
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

    `youngest_ns` is the latest time of change among the files whose bytes are trusted.
    """

    __slots__ = ("directories", "environment", "followed", "halves", "listings", "program", "roots", "youngest_ns")

    def __init__(
        self, environment: dict[str, bytes], tables: tuple[Table, ...], halves: tuple[Files, Files], *, youngest_ns: int
    ) -> None:
        """Take the tables in the order above."""
        self.environment = environment
        self.program, self.roots, self.directories, self.listings, self.followed = tables
        self.halves = halves
        self.youngest_ns = youngest_ns

    def tables(self) -> Iterator[Table]:
        """Yield every table, in the order of the constructor."""
        yield from (self.program, self.roots, self.directories, self.listings, self.followed)
        for half in self.halves:
            yield from (half.hashed, half.trusted, half.seen)


# -- receipts as bytes -------------------------------------------------------------------------------------------------

MAGIC = b"agent-sync receipt 1\n"

_TIMES = struct.Struct("<qqq")
_LENGTH = struct.Struct("<Q")
_OUTPUT = struct.Struct("<BQ")
_START = len(MAGIC) + 32
_TABLE_COUNT = 5


class Receipt:
    """An answer: the key of the question, what was printed to which descriptor (1 or 2), in order, and the facts.

    `created_s` is when the full run answered, in seconds since 1970; `started_ns` is when the run started that last
    compared the facts with the world.
    """

    __slots__ = ("created_s", "facts", "key", "output", "started_ns")

    def __init__(
        self, key: str, output: list[tuple[int, bytes]], facts: Facts, *, created_s: int, started_ns: int
    ) -> None:
        self.key = key
        self.facts = facts
        self.output = output
        self.created_s = created_s
        self.started_ns = started_ns


def to_bytes(receipt: Receipt) -> bytes:
    """Return the receipt as it is stored."""
    body = b"".join(_LENGTH.pack(len(section)) + section for section in _sections(receipt))
    return MAGIC + checksum(body) + body


def from_bytes(content: bytes) -> Receipt:
    """Parse a receipt.

    Raises:
        ValueError: the content is not what `to_bytes` wrote, whole.
    """
    body = memoryview(content)[_START:]
    if content[: len(MAGIC)] != MAGIC or content[len(MAGIC) : _START] != checksum(body):
        raise ValueError("not a whole receipt")
    try:
        return _unpack(_split(body))
    except (StopIteration, struct.error) as error:
        raise ValueError("not a whole receipt") from error


def _sections(receipt: Receipt) -> Iterator[bytes]:
    facts = receipt.facts
    yield receipt.key.encode()
    yield _TIMES.pack(receipt.created_s, receipt.started_ns, facts.youngest_ns)
    yield b"".join(_OUTPUT.pack(descriptor, len(text)) + text for descriptor, text in receipt.output)
    yield os.fsencode("\0".join(facts.environment))
    yield b"".join(facts.environment.values())
    for table in facts.tables():
        yield table.paths
        yield bytes(table.keys)
        yield bytes(table.digests)


def _split(body: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length


def _unpack(sections: Iterator[memoryview]) -> Receipt:
    key = str(next(sections), "utf-8")
    created_s, started_ns, youngest_ns = _TIMES.unpack(next(sections))
    output = list(_unpack_output(next(sections)))
    environment = _unpack_environment(bytes(next(sections)), bytes(next(sections)))
    tables = tuple(_unpack_table(sections) for _ in range(_TABLE_COUNT))
    halves = (_unpack_files(sections), _unpack_files(sections))
    facts = Facts(environment, tables, halves, youngest_ns=youngest_ns)
    return Receipt(key, output, facts, created_s=created_s, started_ns=started_ns)


def _unpack_output(section: memoryview) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(section):
        descriptor, length = _OUTPUT.unpack_from(section, at)
        at += _OUTPUT.size
        yield descriptor, bytes(section[at : at + length])
        at += length


def _unpack_environment(names: bytes, digests: bytes) -> dict[str, bytes]:
    found = os.fsdecode(names).split("\0") if names else []
    return {name: digests[at * len(UNSET) : (at + 1) * len(UNSET)] for at, name in enumerate(found)}


def _unpack_files(sections: Iterator[memoryview]) -> Files:
    return Files(_unpack_table(sections), _unpack_table(sections), _unpack_table(sections))


def _unpack_table(sections: Iterator[memoryview]) -> Table:
    table = Table(next(sections), next(sections), next(sections))
    if len(table.keys) % STAT_KEY.size or len(table.digests) not in (0, DIGEST_BYTES * len(table)):
        raise ValueError("its tables do not fit together")
    return table
