"""Replay: the same key, every fact unchanged -> the same answer, before anything heavy is loaded.

A file whose stat key is the same has not been touched since it was hashed, unless the key is so young that a second
change could have left the same one (git calls that racy): such a file is hashed again."""

from __future__ import annotations

import os
import sys

from agent_sync.receipt.facts import (
    ABSENT,
    changed_ns,
    from_bytes,
    identity,
    names_digest,
    stat_key,
    to_bytes,
    variable_digest,
)
from agent_sync.receipt.store import read_receipt, receipt_key, receipts_directory, write_receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent_sync.receipt.facts import Facts, Files, Receipt, StatKey, Table


# -- comparing facts with the world ------------------------------------------------------------------------------------

if TYPE_CHECKING:
    Look = Callable[[bytes], os.stat_result]

GRANULARITY_NS = 2_000_000_000
"""No file system's clock ticks more slowly: FAT keeps times in steps of two seconds."""

_FORK_THRESHOLD = 1_000  # files; a fork takes about as long as looking at so many
_READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_SMALL = 1 << 16
_LARGE = 1 << 20


def racy_from(started_ns: int) -> int:
    """Return the time from which on a change is too young to be trusted by a run that started at `started_ns`."""
    return started_ns - GRANULARITY_NS


def environment_unchanged(facts: Facts, environment: Mapping[str, str]) -> bool:
    """Return whether every variable that was looked at has the same value."""
    return all(variable_digest(environment.get(name)) == digest for name, digest in facts.environment.items())


def files_unchanged(facts: Facts, *, racy_ns: int) -> bool:
    """Return whether every other fact is unchanged; files that were touched at `racy_ns` or later are hashed again."""
    one, other = facts.halves
    try:
        if len(one) + len(other) < _FORK_THRESHOLD or (os.cpu_count() or 1) < 2:
            same = _same_surroundings(facts, racy_ns) and _same_files(one, facts, racy_ns)
            return same and _same_files(other, facts, racy_ns)
        return _same_in_two_processes(facts, racy_ns)
    except OSError:  # what we may not see is not as it was
        return False


def _same_in_two_processes(facts: Facts, racy_ns: int) -> bool:
    one, other = facts.halves
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = _same_files(other, facts, racy_ns)
        finally:
            os._exit(0 if same else 1)  # whatever happened: nothing of the parent's is to be finished twice
    try:
        same = _same_surroundings(facts, racy_ns) and _same_files(one, facts, racy_ns)
    finally:
        _, status = os.waitpid(child, 0)
    return same and status == 0


def _same_surroundings(facts: Facts, racy_ns: int) -> bool:
    return (
        _same_directories(facts.roots, os.stat)
        and _same_directories(facts.directories, os.lstat)
        and _same_keys(facts.program, os.stat)
        and _same_listings(facts.listings, racy_ns)
        and _same_keys(facts.followed, os.stat)
        and (facts.youngest_ns < racy_ns or _same_bytes(facts.followed, racy_ns, _READ_FLAGS))
    )


def _same_files(files: Files, facts: Facts, racy_ns: int) -> bool:
    return (
        _same_keys(files.seen, os.lstat)
        and _same_keys(files.trusted, os.lstat)
        and (facts.youngest_ns < racy_ns or _same_bytes(files.trusted, racy_ns, _READ_FLAGS | os.O_NOFOLLOW))
        and _same_bytes(files.hashed, None, _READ_FLAGS | os.O_NOFOLLOW)
    )


def _same_keys(table: Table, look: Look) -> bool:
    for path, key in table.rows():
        try:
            found = look(path)
        except (FileNotFoundError, NotADirectoryError):
            if key != ABSENT:
                return False
        else:
            if stat_key(found) != key:
                return False
    return True


def _same_directories(directories: Table, look: Look) -> bool:
    return all(identity(_key_at(path, look)) == key for path, key in directories.rows())


def _same_listings(listings: Table, racy_ns: int) -> bool:
    """Compare names where keys differ: a directory in which a file came and went has another key, but no other
    names.
    """
    for path, key, digest in listings.digest_rows():
        actual = _key_at(path, os.lstat)
        if actual == key and changed_ns(key) < racy_ns:
            continue
        if identity(actual) != identity(key) or names_digest(sorted(os.listdir(path))) != digest:
            return False
    return True


def _key_at(path: bytes, look: Look) -> StatKey:
    try:
        return stat_key(look(path))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def _same_bytes(table: Table, racy_ns: int | None, flags: int) -> bool:
    """Compare keys and bytes of the files that were touched at `racy_ns` or later (None: of all files).

    One function, since it runs for every file: calls inside of it would take as long again as the system's.
    """
    if not len(table):
        return True
    from hashlib import sha256

    for path, key, digest in table.digest_rows():
        if racy_ns is not None and changed_ns(key) < racy_ns:
            continue
        descriptor = os.open(path, flags)
        try:
            if stat_key(os.fstat(descriptor)) != key:
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


# -- replaying ---------------------------------------------------------------------------------------------------------

MAX_AGE_S = 86_400
"""Once a day the full run has its turn: it tells the store that the lock is still in use."""


def replay(arguments: Sequence[str], environment: Mapping[str, str], *, now_ns: int) -> bool:
    """Print the answer from a receipt, if that is possible; return whether it was printed. The exit code is 0 then.

    1 there is a receipt for exactly this key; 2 it is this user's own, whole, and not too old; 3 every variable is
    unchanged; 4 every file is; 5 the output is written.
    """
    key = receipt_key(arguments)
    store = receipts_directory(environment, macos=sys.platform == "darwin")
    if key is None or store is None:
        return False
    try:
        receipt = _parse_fresh(read_receipt(store, key), key, now_ns)
        if receipt is None or not environment_unchanged(receipt.facts, environment):
            return False
        racy_ns = racy_from(receipt.started_ns)
        if not files_unchanged(receipt.facts, racy_ns=racy_ns):
            return False
        if racy_ns <= receipt.facts.youngest_ns < racy_from(now_ns):
            receipt.started_ns = now_ns  # what was young, and has been hashed again, is old enough now
            write_receipt(store, key, to_bytes(receipt))
        return _write_output(receipt, now_ns / 10**9)
    except (OSError, ValueError):
        return False


def _parse_fresh(content: bytes | None, key: str, now_ns: int) -> Receipt | None:
    """Return the receipt unless it is for another key or too old; a clock that was set back makes receipts of the
    future.
    """
    receipt = None if content is None else from_bytes(content)
    if receipt is None or receipt.key != key or not 0 <= now_ns // 10**9 - receipt.created_s < MAX_AGE_S:
        return None
    return receipt


def age_marker(when_s: float) -> str:
    """Return what stands in a recorded output for how long ago `when_s` (seconds since 1970) was."""
    return f"\0{int(when_s)}\0"  # nothing else writes a NUL: foreign text is escaped


def with_ages(text: str, now_s: float) -> str:
    """Return the text with every marked age as `2 minutes ago`."""
    parts = text.split("\0")
    parts[1::2] = [_age(now_s - int(when_s)) for when_s in parts[1::2]]
    return "".join(parts)


def _age(seconds: float) -> str:
    for unit, length_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(seconds // length_s)
        if number > 0:
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def _write_output(receipt: Receipt, now_s: float) -> bool:
    for descriptor, text in receipt.output:
        # An answer that is given again says anew how long ago something was.
        left = os.fsencode(with_ages(os.fsdecode(text), now_s)) if b"\0" in text else text
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BrokenPipeError:
                return True  # whoever reads has seen enough: that is no failure
    return True
