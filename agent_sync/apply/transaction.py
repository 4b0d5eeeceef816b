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

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from agent_sync.checkout import TRANSACTION, Checkout
from agent_sync.errors import CrossDeviceLink, FileSystemError, LimitExceeded, UnsafePath
from agent_sync.ports import Directory, Kind, Stat
from agent_sync.ports.files import copy, read_bounded, sweep
from agent_sync.tree import ROOT, Entry, RelPath, join, parent

# -- Spot: one name in a directory that is held open, so that no swap of a directory on the way to it can lead
# elsewhere.


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one file or directory."""

    directory: Directory
    name: RelPath

    def stat(self) -> Stat | None:
        """What stands here."""
        return self.directory.stat(self.name)

    def entry(self) -> Entry | None:
        """The file that stands here, read and hashed; None if none does."""
        stat = self.stat()
        if stat is None or stat.kind is not Kind.FILE:
            return None
        return Entry(self.directory.digest(self.name), stat.executable)

    def move_to(self, other: Slot) -> None:
        """What stands here stands there."""
        self.directory.rename(self.name, other.name, into=other.directory)

    def link_to(self, other: Slot) -> None:
        """The file that stands here stands there as well."""
        self.directory.link(self.name, other.name, into=other.directory)


class OpenDirectories:
    """The spots of targets. The directory of the last one stays open: its neighbours follow."""

    def __init__(self, project: Directory) -> None:
        self._project = project
        self._path: RelPath | None = None
        self._directory = project

    def spot(self, path: RelPath) -> Slot:
        """The spot of this target; the directory it is in stands there.

        Raises: UnsafePath, FileSystemError.
        """
        directory = parent(path)
        if directory != self._path:
            self._path = None
            self._directory = self._project.below(directory)
            self._path = directory
        return Slot(self._directory, RelPath(path.rpartition("/")[2]))

    def find(self, path: RelPath) -> Slot | None:
        """The same, or None if the directory is missing."""
        directory = parent(path)
        if directory != self._path:
            stat = self._project.stat(directory)
            if stat is None or stat.kind is Kind.FILE:
                return None
        return self.spot(path)

    def make(self, path: RelPath) -> Slot:
        """The same; the directory is made if it is missing."""
        found = self.find(path)
        if found is None:
            self._project.make_directory(parent(path))
        return found or self.spot(path)


# -- Transaction: the directory `.agent-sync/txn/`, where a run keeps what it is about to put in place and what it took
# away. stage/<n> what change n brings, until it is renamed to its target: where it is gone, the change was made
# undo/<n> what stood there before out/<n> what undoing the change took away again, until it is clear whose it was
# journal the changes; nothing outside this directory is touched before it is on the disk applied.lock renamed to
# `.agent-sync/applied.lock` as the last step: where it is gone, the run is committed Where a target lies on another
# file system, which no rename reaches, its own directory takes the place of these: the names there begin with `.agent-
# sync-<identity>-`, and the journal has the identity.

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
    """How far a run came, by what lies on the disk."""

    STAGING = "staging"
    CHANGING = "changing"
    COMMITTED = "committed"


class Transaction:
    """One run's directory. `crossed` says that some target lies on another file system, or might."""

    def __init__(self, checkout: Checkout, identity: str, *, crossed: bool) -> None:
        self.crossed = crossed
        self._checkout = checkout
        self._project = checkout.directory
        self._prefix = f".agent-sync-{identity}-"
        for room in Area:
            self._project.make_directory(join(TRANSACTION, RelPath(room.value)))
        self._home = self._project.below(TRANSACTION)
        self._rooms = {room: self._home.below(RelPath(room.value)) for room in Area}
        self._unflushed: Directory | None = None

    @classmethod
    def begin(cls, checkout: Checkout, identity: str) -> Transaction:
        """A new run's; what a run left that was killed before its journal stood is cleared away."""
        checkout.prepare()
        sweep(TRANSACTION, directory=checkout.directory)
        return cls(checkout, identity, crossed=False)

    def state(self) -> State:
        """How far the run came."""
        if self._home.stat(_JOURNAL) is None:
            return State.STAGING
        return State.COMMITTED if self._home.stat(_READY) is None else State.CHANGING

    def open(self, journal: bytes, *, applied_lock: bytes) -> None:
        """Everything staged and the journal are on the disk: from now on the run can be undone.

        Raises: LimitExceeded, and nothing is written: `read_journal` would refuse the journal, so nothing could be.
        """
        if len(journal) > MAX_JOURNAL_BYTES:
            raise LimitExceeded(
                subject=f"file {JOURNAL}",
                check=f"the changes of this run take {len(journal)} bytes there, more than {MAX_JOURNAL_BYTES}",
                remedy="sync fewer files at once: add the targets one after the other",
            )
        self._home.create(_READY, (applied_lock,))
        self._home.replace(_JOURNAL, journal)
        self._home.flush()

    def commit(self) -> None:
        """The run counts: from now on it can only be finished."""
        self._flush_crossed()
        self._checkout.applied.commit(join(TRANSACTION, _READY))

    def close(self, targets: OpenDirectories, paths: Iterable[RelPath]) -> None:
        """Nothing of the run is left; `paths` are the targets beside which something may lie."""
        if self.crossed:
            self._remove_beside(targets, paths)
        self._home.remove(_JOURNAL)
        with suppress(FileSystemError, UnsafePath):  # without its journal it means nothing; the next run clears it away
            sweep(TRANSACTION, directory=self._project)

    def room(self, room: Area) -> Directory:
        """One of the three directories."""
        return self._rooms[room]

    def find(self, room: Area, key: str, there: Directory) -> Slot | None:
        """What lies in `room` under this key, or in its stead in the directory `there` of the target."""
        spots = (self._spot(room, key), self._beside(room, key, there)) if self.crossed else (self._spot(room, key),)
        return next((spot for spot in spots if spot.stat() is not None), None)

    def is_beside(self, name: str) -> bool:
        """Whether this is the name of something of ours in the directory of a target."""
        return name.startswith(self._prefix)

    def take(self, target: Slot, room: Area, key: str) -> None:
        """What stands at the target is in `room` instead."""
        try:
            target.move_to(self._spot(room, key))
        except CrossDeviceLink:
            target.move_to(self._cross(room, key, target.directory))

    def link(self, target: Slot, room: Area, key: str) -> None:
        """The file that stands at the target is in `room` as well."""
        try:
            target.link_to(self._spot(room, key))
        except CrossDeviceLink:
            target.link_to(self._cross(room, key, target.directory))

    def place(self, key: str, target: Slot) -> None:
        """What is staged under this key stands at the target, in one step."""
        staged = self._spot(Area.STAGE, key)
        try:
            staged.move_to(target)
        except CrossDeviceLink:
            copied = self._cross(Area.STAGE, key, target.directory)
            copy(staged.name, copied.name, source=staged.directory, into=copied.directory)
            staged.move_to(self._spot(Area.STAGE, f"{key}-copied"))
            copied.move_to(target)

    def _spot(self, room: Area, key: str) -> Slot:
        return Slot(self._rooms[room], RelPath(key))

    def _beside(self, room: Area, key: str, there: Directory) -> Slot:
        return Slot(there, RelPath(f"{self._prefix}{key}.{room.value}"))

    def _cross(self, room: Area, key: str, there: Directory) -> Slot:
        self.crossed = True
        if self._unflushed is not there:
            self._flush_crossed()
            self._unflushed = there
        return self._beside(room, key, there)

    def _flush_crossed(self) -> None:
        """The other file system keeps no order with ours: what is there must be on the disk before our last rename."""
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


def read_journal(checkout: Checkout) -> bytes | None:
    """The journal of a run that did not end; None if there is none.

    Raises: UnsafePath, FileSystemError, LimitExceeded.
    """
    remedy = f"look at {TRANSACTION}/undo/, put back what you need, then remove {TRANSACTION}/"
    return read_bounded(JOURNAL, checkout.directory, max_bytes=MAX_JOURNAL_BYTES, remedy=remedy)
