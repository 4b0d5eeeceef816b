"""The changes of a run, each of which takes one rename, and the journal that holds them as bytes.

A journal may come from whoever could write to the project, so it is checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent_sync.checkout import STATE, TRANSACTION
from agent_sync.errors import RollbackIncomplete, UnsafePath
from agent_sync.ports import Stat
from agent_sync.tree import Entry, RelPath, Sha256, safe_path
from agent_sync.tree.names import fold


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file put in place, replaced or (`after` is None) removed.

    `ours` is what may be lost of what is there: what we wrote last, and nothing else. `stat` is what the file system
    said of it, if its times are old enough that an edit would show in them.
    """

    number: int
    path: RelPath
    source: str
    ours: Entry | None
    after: Entry | None
    stat: Stat | None = None


class StagedFile(NamedTuple):
    """A file that comes with a new directory; `key` is its path in there."""

    key: RelPath
    entry: Entry
    source: str


@dataclass(frozen=True, slots=True)
class NewDirectory:
    """A directory that does not exist yet, with all its files: staged as a whole, it takes one rename for them all."""

    number: int
    path: RelPath
    files: tuple[StagedFile, ...]


Change = FileChange | NewDirectory


# -- Changes as the bytes of a journal, and back.

VERSION = 1
_IDENTITY = re.compile(r"[0-9a-f]{1,32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MALFORMED = "the content is not that of a journal"


def write_journal(identity: str, changes: Sequence[Change]) -> bytes:
    """Return the journal of a run. `identity` tells the names that it uses beside targets from those of other runs."""
    return json.dumps(
        {"version": VERSION, "identity": identity, "changes": [_row(change) for change in changes]},
        separators=(",", ":"),
    ).encode()


def parse_journal(content: bytes) -> tuple[str, tuple[Change, ...]]:
    """Return the identity and the changes of an interrupted run.

    Raises: RollbackIncomplete if this is no journal of ours.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _unusable("the content is not JSON") from error
    match document:
        case {"version": int(version)} if version != VERSION:
            raise _unusable(f"version {version} is unknown")
        case {"identity": str(identity), "changes": list(rows)} if _IDENTITY.fullmatch(identity):
            return identity, tuple(_change(number, row) for number, row in enumerate(rows))
        case _:
            raise _unusable(_MALFORMED)


def _row(change: Change) -> list[object]:
    if isinstance(change, FileChange):
        return [change.path, change.ours, change.after]
    return [change.path, [(file.key, *file.entry) for file in change.files]]


def _change(number: int, row: object) -> Change:
    match row:
        case [str(path), ours, after]:
            return FileChange(number, _path(path), "", _entry(ours), _entry(after))
        case [str(path), list(files)]:
            return NewDirectory(number, _path(path), tuple(_staged_file(file) for file in files))
        case _:
            raise _unusable(_MALFORMED)


def _staged_file(row: object) -> StagedFile:
    match row:
        case [str(key), str(sha256), bool(executable)] if _SHA256.fullmatch(sha256):
            return StagedFile(_path(key), Entry(Sha256(sha256), executable), "")
        case _:
            raise _unusable(_MALFORMED)


def _entry(row: object) -> Entry | None:
    match row:
        case None:
            return None
        case [str(sha256), bool(executable)] if _SHA256.fullmatch(sha256):
            return Entry(Sha256(sha256), executable)
        case _:
            raise _unusable(_MALFORMED)


def _path(text: str) -> RelPath:
    """Return the path of a target, checked.

    A project that somebody sent must not have us move its files over `.git/hooks`, or out of it.
    """
    try:
        path = safe_path(text, subject="the journal")
    except UnsafePath as error:
        raise _unusable(error.check) from error
    if fold(path.partition("/")[0]) == STATE:
        raise _unusable(f"a target is in {STATE}/")
    return path


def _unusable(check: str) -> RollbackIncomplete:
    return RollbackIncomplete(
        subject=f"file {TRANSACTION}/journal",
        check=f"a sync was interrupted, but its journal cannot be used: {check}",
        remedy=f"put back what you need from {TRANSACTION}/undo/ (what was replaced), then remove {TRANSACTION}/",
    )
