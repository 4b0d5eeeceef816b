"""Whether facts still hold: the world is asked again, as cheaply as is safe.

A file whose key is the same has not been touched since it was hashed, unless its key is so young that a second change
could have left the same one (git calls that racy): such a file is hashed again.
"""

from __future__ import annotations

import os

from agent_sync.receipt.facts import ABSENT, changed_ns, identity, key_of
from agent_sync.receipt.hashing import names_digest, variable_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_sync.receipt.facts import Facts, Files, Key, Table

    Look = Callable[[bytes], os.stat_result]

GRANULARITY_NS = 2_000_000_000
"""No file system's clock ticks more slowly: FAT keeps times in steps of two seconds."""

_WORTH_A_PROCESS = 1_000  # files; a fork takes about as long as looking at so many
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_SMALL = 1 << 16
_LARGE = 1 << 20


def young_from(begun_ns: int) -> int:
    """From when on a touch was too young to be believed by a run that began then."""
    return begun_ns - GRANULARITY_NS


def environment_holds(facts: Facts, environment: Mapping[str, str]) -> bool:
    """Whether every variable that was looked at is as it was."""
    return all(variable_digest(environment.get(name)) == digest for name, digest in facts.environment.items())


def world_holds(facts: Facts, *, young_ns: int) -> bool:
    """Whether everything else is as it was; files that were touched at `young_ns` or later are hashed again."""
    one, other = facts.halves
    try:
        if len(one) + len(other) < _WORTH_A_PROCESS or (os.cpu_count() or 1) < 2:
            same = _same_surroundings(facts, young_ns) and _same_files(one, facts, young_ns)
            return same and _same_files(other, facts, young_ns)
        return _same_in_two_processes(facts, young_ns)
    except OSError:  # what we may not see is not as it was
        return False


def _same_in_two_processes(facts: Facts, young_ns: int) -> bool:
    one, other = facts.halves
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = _same_files(other, facts, young_ns)
        finally:
            os._exit(0 if same else 1)  # whatever happened: nothing of the parent's is to be finished twice
    try:
        same = _same_surroundings(facts, young_ns) and _same_files(one, facts, young_ns)
    finally:
        _, status = os.waitpid(child, 0)
    return same and status == 0


def _same_surroundings(facts: Facts, young_ns: int) -> bool:
    return (
        _same_directories(facts.roots, os.stat)
        and _same_directories(facts.directories, os.lstat)
        and _same_keys(facts.program, os.stat)
        and _same_listings(facts.listings, young_ns)
        and _same_keys(facts.followed, os.stat)
        and (facts.youngest_ns < young_ns or _same_bytes(facts.followed, young_ns, _READING))
    )


def _same_files(files: Files, facts: Facts, young_ns: int) -> bool:
    return (
        _same_keys(files.seen, os.lstat)
        and _same_keys(files.trusted, os.lstat)
        and (facts.youngest_ns < young_ns or _same_bytes(files.trusted, young_ns, _READING | os.O_NOFOLLOW))
        and _same_bytes(files.hashed, None, _READING | os.O_NOFOLLOW)
    )


def _same_keys(table: Table, look: Look) -> bool:
    for path, key in table.rows():
        try:
            found = look(path)
        except (FileNotFoundError, NotADirectoryError):
            if key != ABSENT:
                return False
        else:
            if key_of(found) != key:
                return False
    return True


def _same_directories(directories: Table, look: Look) -> bool:
    return all(identity(_key_at(path, look)) == key for path, key in directories.rows())


def _same_listings(listings: Table, young_ns: int) -> bool:
    """A directory in which something came and went again has another key, but the same names."""
    for path, key, digest in listings.digest_rows():
        actual = _key_at(path, os.lstat)
        if actual == key and changed_ns(key) < young_ns:
            continue
        if identity(actual) != identity(key) or names_digest(sorted(os.listdir(path))) != digest:
            return False
    return True


def _key_at(path: bytes, look: Look) -> Key:
    try:
        return key_of(look(path))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def _same_bytes(table: Table, young_ns: int | None, flags: int) -> bool:
    """Whether the files of this table that were touched at `young_ns` or later (None: all) have their keys and bytes.

    One function, since it runs for every file: calls inside of it would take as long again as the system's.
    """
    if not len(table):
        return True
    from hashlib import sha256

    for path, key, digest in table.digest_rows():
        if young_ns is not None and changed_ns(key) < young_ns:
            continue
        descriptor = os.open(path, flags)
        try:
            if key_of(os.fstat(descriptor)) != key:
                return False
            chunk = os.read(descriptor, _SMALL)
            actual = sha256(chunk)
            while len(chunk) >= _SMALL:
                chunk = os.read(descriptor, _LARGE)
                actual.update(chunk)
            if actual.digest() != digest:
                return False
        finally:
            os.close(descriptor)
    return True
