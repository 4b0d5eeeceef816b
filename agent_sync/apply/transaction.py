"""Transaction: the folder `.agent-sync/txn/`, where a run keeps what it is about to put in place and what it took away.

    stage/<n>      what change n brings, until it is renamed to its target: where it is gone, the change was made
    undo/<n>       what stood there before
    out/<n>        what undoing the change took away again, until it is clear whose it was
    journal        the changes; nothing outside this folder is touched before it is on the disk
    applied.lock   renamed to `.agent-sync/applied.lock` as the last step: where it is gone, the run is committed

Where a target lies on another file system, which no rename reaches, its own folder takes the place of these: the names
there begin with `.agent-sync-<identity>-`, and the journal has the identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from enum import Enum

from agent_sync.apply.spots import Spot, Targets
from agent_sync.checkout import TRANSACTION, Checkout
from agent_sync.checkout.copying import copy
from agent_sync.checkout.reading import read_bounded
from agent_sync.errors import CrossesFileSystems, FileFault, LimitExceeded, UnsafePath
from agent_sync.ports import Folder
from agent_sync.ports.sweeping import sweep
from agent_sync.tree import ROOT, RelPath, join, parent

MAX_JOURNAL_BYTES = 100_000_000

_JOURNAL = RelPath("journal")
_READY = RelPath("applied.lock")
JOURNAL = join(TRANSACTION, _JOURNAL)


class Room(Enum):
    """The three folders of a transaction."""

    STAGE = "stage"
    UNDO = "undo"
    OUT = "out"


class State(Enum):
    """How far a run came, by what lies on the disk."""

    STAGING = "staging"
    CHANGING = "changing"
    COMMITTED = "committed"


class Transaction:
    """One run's folder. `crossed` says that some target lies on another file system, or might."""

    def __init__(self, checkout: Checkout, identity: str, *, crossed: bool) -> None:
        self.crossed = crossed
        self._checkout = checkout
        self._project = checkout.folder
        self._prefix = f".agent-sync-{identity}-"
        for room in Room:
            self._project.make_folder(join(TRANSACTION, RelPath(room.value)))
        self._home = self._project.below(TRANSACTION)
        self._rooms = {room: self._home.below(RelPath(room.value)) for room in Room}
        self._unflushed: Folder | None = None

    @classmethod
    def begin(cls, checkout: Checkout, identity: str) -> Transaction:
        """A new run's; what a run left that was killed before its journal stood is cleared away."""
        checkout.prepare()
        sweep(TRANSACTION, folder=checkout.folder)
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
        self._checkout.commit_applied(join(TRANSACTION, _READY))

    def close(self, targets: Targets, paths: Iterable[RelPath]) -> None:
        """Nothing of the run is left; `paths` are the targets beside which something may lie."""
        if self.crossed:
            self._remove_beside(targets, paths)
        self._home.remove(_JOURNAL)
        with suppress(FileFault, UnsafePath):  # without its journal it means nothing; the next run clears it away
            sweep(TRANSACTION, folder=self._project)

    def room(self, room: Room) -> Folder:
        """One of the three folders."""
        return self._rooms[room]

    def find(self, room: Room, key: str, there: Folder) -> Spot | None:
        """What lies in `room` under this key, or in its stead in the folder `there` of the target."""
        spots = (self._spot(room, key), self._beside(room, key, there)) if self.crossed else (self._spot(room, key),)
        return next((spot for spot in spots if spot.stat() is not None), None)

    def is_beside(self, name: str) -> bool:
        """Whether this is the name of something of ours in the folder of a target."""
        return name.startswith(self._prefix)

    def take(self, target: Spot, room: Room, key: str) -> None:
        """What stands at the target is in `room` instead."""
        try:
            target.move_to(self._spot(room, key))
        except CrossesFileSystems:
            target.move_to(self._cross(room, key, target.folder))

    def link(self, target: Spot, room: Room, key: str) -> None:
        """The file that stands at the target is in `room` as well."""
        try:
            target.link_to(self._spot(room, key))
        except CrossesFileSystems:
            target.link_to(self._cross(room, key, target.folder))

    def place(self, key: str, target: Spot) -> None:
        """What is staged under this key stands at the target, in one step."""
        staged = self._spot(Room.STAGE, key)
        try:
            staged.move_to(target)
        except CrossesFileSystems:
            copied = self._cross(Room.STAGE, key, target.folder)
            copy(staged.name, copied.name, source=staged.folder, into=copied.folder)
            staged.move_to(self._spot(Room.STAGE, f"{key}-copied"))
            copied.move_to(target)

    def _spot(self, room: Room, key: str) -> Spot:
        return Spot(self._rooms[room], RelPath(key))

    def _beside(self, room: Room, key: str, there: Folder) -> Spot:
        return Spot(there, RelPath(f"{self._prefix}{key}.{room.value}"))

    def _cross(self, room: Room, key: str, there: Folder) -> Spot:
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

    def _remove_beside(self, targets: Targets, paths: Iterable[RelPath]) -> None:
        for path in {parent(path): path for path in paths}.values():
            target = targets.find(path)
            names = () if target is None else target.folder.names(ROOT)
            for name in names:
                if target is not None and self.is_beside(name):
                    sweep(RelPath(name), folder=target.folder)


def read_journal(checkout: Checkout) -> bytes | None:
    """The journal of a run that did not end; None if there is none.

    Raises: UnsafePath, FileFault, LimitExceeded.
    """
    remedy = f"look at {TRANSACTION}/undo/, put back what you need, then remove {TRANSACTION}/"
    return read_bounded(JOURNAL, checkout.folder, max_bytes=MAX_JOURNAL_BYTES, remedy=remedy)
