"""The directory `.agent-sync/txn/`, where a run keeps what it is about to put in place and what it replaced.

    stage/<n>      what change n brings, until it is renamed to its target: once it is gone, the change was made
    undo/<n>       what was at the target before
    out/<n>        what undoing the change removed again, until it is clear whose it was
    journal        the changes; nothing outside this directory is touched before it is on the disk
    applied.lock   renamed to `.agent-sync/applied.lock` as the last step: once it is gone, the run is committed

Where a target is on another file system, which no rename reaches, its own directory takes the place of these: the names
there begin with `.agent-sync-<identity>-`, and the journal has the identity.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from agent_sync.checkout import STATE, TRANSACTION, Checkout
from agent_sync.errors import CrossDeviceLink, FileSystemError, LimitExceeded, RollbackIncomplete, UnsafePath
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.ports.files import copy, read_bounded, sweep
from agent_sync.tree import ROOT, Entry, RelPath, Sha256, join, parent, safe_path
from agent_sync.tree.names import fold

MAX_JOURNAL_BYTES = 100_000_000

_JOURNAL = RelPath("journal")
_READY = RelPath("applied.lock")
JOURNAL = join(TRANSACTION, _JOURNAL)


class Area(Enum):
    """The three directories of a transaction."""

    STAGE = "stage"
    UNDO = "undo"
    OUT = "out"


class State(Enum):
    """How far a run came, by what is on the disk."""

    STAGING = "staging"
    CHANGING = "changing"
    COMMITTED = "committed"


# -- Slots: names in directories that are held open.


class Slot(NamedTuple):
    """One name in an open directory, for one file or directory: no swap of a parent can lead elsewhere."""

    directory: Directory
    name: RelPath

    def stat(self) -> Stat | None:
        """Return what is here; None if nothing is."""
        return self.directory.stat(self.name)

    def entry(self) -> Entry | None:
        """Return the entry of the file here, read and hashed; None if no file is here."""
        stat = self.stat()
        if stat is None or stat.kind is not Kind.FILE:
            return None
        return Entry(self.directory.digest(self.name), stat.executable)

    def move_to(self, other: Slot) -> None:
        """Rename what is here to the other slot."""
        self.directory.rename(self.name, other.name, into=other.directory)

    def link_to(self, other: Slot) -> None:
        """Give the file here a second name, in the other slot."""
        self.directory.link(self.name, other.name, into=other.directory)


class OpenDirectories:
    """The slots of targets. The directory of the last one stays open, since its neighbors follow."""

    def __init__(self, project: Directory) -> None:
        self._project = project
        self._path: RelPath | None = None
        self._directory = project

    def slot(self, path: RelPath) -> Slot:
        """Return the slot of this target, whose directory exists.

        Raises: UnsafePath, FileSystemError.
        """
        directory = parent(path)
        if directory != self._path:
            self._path = None  # if opening fails, the next call must not take the old directory for this one
            self._directory = self._project.below(directory)
            self._path = directory
        return Slot(self._directory, RelPath(path.rpartition("/")[2]))

    def find(self, path: RelPath) -> Slot | None:
        """Return the slot; None if its directory is missing."""
        directory = parent(path)
        if directory != self._path:
            stat = self._project.stat(directory)
            if stat is None or stat.kind is Kind.FILE:
                return None
        return self.slot(path)

    def make(self, path: RelPath) -> Slot:
        """Return the slot, and make its directory if that is missing."""
        found = self.find(path)
        if found is None:
            self._project.make_directory(parent(path))
        return found or self.slot(path)


# -- The transaction itself.


class Transaction:
    """One run's directory. `crossed` says that some target is on another file system, or might be."""

    def __init__(self, checkout: Checkout, identity: str, *, crossed: bool) -> None:
        self.crossed = crossed
        self._checkout = checkout
        self._project = checkout.directory
        self._prefix = f".agent-sync-{identity}-"
        for area in Area:
            self._project.make_directory(join(TRANSACTION, RelPath(area.value)))
        self._home = self._project.below(TRANSACTION)
        self._areas = {area: self._home.below(RelPath(area.value)) for area in Area}
        self._unflushed: Directory | None = None

    @classmethod
    def begin(cls, checkout: Checkout, identity: str) -> Transaction:
        """Begin a new run, and clear away what a run left that was killed before its journal existed."""
        checkout.prepare()
        sweep(TRANSACTION, directory=checkout.directory)
        return cls(checkout, identity, crossed=False)

    def state(self) -> State:
        """Return how far the run came."""
        if self._home.stat(_JOURNAL) is None:
            return State.STAGING
        return State.COMMITTED if self._home.stat(_READY) is None else State.CHANGING

    def open(self, journal: bytes, *, applied_lock: bytes) -> None:
        """Bring everything staged and the journal onto the disk: from now on the run can be rolled back.

        Raises: LimitExceeded, and nothing is written: `read_journal` would refuse the journal.
        """
        if len(journal) > MAX_JOURNAL_BYTES:
            raise LimitExceeded(
                subject=f"file {JOURNAL}",
                check=f"the changes of this run take {len(journal)} bytes there, more than {MAX_JOURNAL_BYTES}",
                remedy="sync fewer files at once: add the targets one after the other",
            )
        self._home.create(_READY, (applied_lock,))
        # The journal comes after the file that marks the run as uncommitted: in the other order a run that is killed in
        # between would look committed.
        self._home.replace(_JOURNAL, journal)
        self._home.flush()

    def commit(self) -> None:
        """Commit the run: from now on it can only be finalized."""
        self._flush_crossed()
        self._checkout.applied.commit(join(TRANSACTION, _READY))

    def close(self, targets: OpenDirectories, paths: Iterable[RelPath]) -> None:
        """Remove everything of the run; `paths` are the targets beside which something may be."""
        if self.crossed:
            self._remove_beside(targets, paths)
        self._home.remove(_JOURNAL)
        with suppress(FileSystemError, UnsafePath):  # without its journal it means nothing; the next run clears it away
            sweep(TRANSACTION, directory=self._project)

    def area(self, area: Area) -> Directory:
        """Return one of the three directories."""
        return self._areas[area]

    def find(self, area: Area, key: str, there: Directory) -> Slot | None:
        """Return the slot of this key in `area`, or in its stead in the target's directory `there`; None if empty."""
        slots = (self._slot(area, key), self._beside(area, key, there)) if self.crossed else (self._slot(area, key),)
        return next((slot for slot in slots if slot.stat() is not None), None)

    def is_beside(self, name: str) -> bool:
        """Tell whether this is the name of something of ours in the directory of a target."""
        return name.startswith(self._prefix)

    def take(self, target: Slot, area: Area, key: str) -> None:
        """Move what is at the target to `area`."""
        try:
            target.move_to(self._slot(area, key))
        except CrossDeviceLink:
            target.move_to(self._cross(area, key, target.directory))

    def link(self, target: Slot, area: Area, key: str) -> None:
        """Give the file at the target a second name in `area`."""
        try:
            target.link_to(self._slot(area, key))
        except CrossDeviceLink:
            target.link_to(self._cross(area, key, target.directory))

    def place(self, key: str, target: Slot) -> None:
        """Put what is staged under this key at the target, in one step."""
        staged = self._slot(Area.STAGE, key)
        try:
            staged.move_to(target)
        except CrossDeviceLink:
            copied = self._cross(Area.STAGE, key, target.directory)
            copy(staged.name, copied.name, source=staged.directory, into=copied.directory)
            # Renamed, not removed: what recovery looks for is the absence of the staged name, and a rename is atomic.
            staged.move_to(self._slot(Area.STAGE, f"{key}-copied"))
            copied.move_to(target)

    def _slot(self, area: Area, key: str) -> Slot:
        return Slot(self._areas[area], RelPath(key))

    def _beside(self, area: Area, key: str, there: Directory) -> Slot:
        return Slot(there, RelPath(f"{self._prefix}{key}.{area.value}"))

    def _cross(self, area: Area, key: str, there: Directory) -> Slot:
        self.crossed = True
        if self._unflushed is not there:
            self._flush_crossed()
            self._unflushed = there
        return self._beside(area, key, there)

    def _flush_crossed(self) -> None:
        """Flush the other file system, which keeps no order with ours, before our last rename."""
        if self._unflushed is not None:
            self._unflushed.flush()
            self._unflushed = None

    def _remove_beside(self, targets: OpenDirectories, paths: Iterable[RelPath]) -> None:
        for path in {parent(path): path for path in paths}.values():
            target = targets.find(path)
            names = () if target is None else target.directory.names(ROOT)
            for name in names:
                if target is not None and self.is_beside(name):
                    sweep(RelPath(name), directory=target.directory)


# -- The changes of a run, each of which takes one rename.


class FileChange(NamedTuple):
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


class NewDirectory(NamedTuple):
    """A directory that does not exist yet, with all its files: staged as a whole, it takes one rename for them all."""

    number: int
    path: RelPath
    files: tuple[StagedFile, ...]


Change = FileChange | NewDirectory


# -- The journal: changes as bytes. It may come from whoever could write to the project, so it is checked.

VERSION = 1
_IDENTITY = re.compile(r"[0-9a-f]{1,32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MALFORMED = "the content is not that of a journal"


def read_journal(checkout: Checkout) -> bytes | None:
    """Return the journal of a run that did not end; None if there is none.

    Raises: UnsafePath, FileSystemError, LimitExceeded.
    """
    remedy = f"look at {TRANSACTION}/undo/, put back what you need, then remove {TRANSACTION}/"
    return read_bounded(JOURNAL, checkout.directory, max_bytes=MAX_JOURNAL_BYTES, remedy=remedy)


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
            return FileChange(number, _target_path(path), "", _entry(ours), _entry(after))
        case [str(path), list(files)]:
            return NewDirectory(number, _target_path(path), tuple(_staged_file(file) for file in files))
        case _:
            raise _unusable(_MALFORMED)


def _staged_file(row: object) -> StagedFile:
    match row:
        case [str(key), str(sha256), bool(executable)] if _SHA256.fullmatch(sha256):
            return StagedFile(_target_path(key), Entry(Sha256(sha256), executable), "")
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


def _target_path(text: str) -> RelPath:
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
