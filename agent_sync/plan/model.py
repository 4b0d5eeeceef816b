"""A plan: what happens to each path, as values that can be printed, compared and carried out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from agent_sync.ports import Stat
from agent_sync.tree import Entry, RelPath, Sha256


class Step(Enum):
    """What happens to one path."""

    CREATE = "create"
    REPLACE = "replace"
    REMOVE = "remove"


class Action(NamedTuple):
    """One path that has to change, and the source that is the reason.

    `before` is what lies there now and `after` what will (None: nothing). `edited` says that what lies there is neither
    absent nor what we wrote last, so that it must be kept. `stat` is what the file system said when `before` was
    hashed, so that applying need not hash it again to know that it is still the same.
    """

    step: Step
    path: RelPath
    source: str
    before: Entry | None
    after: Entry | None
    edited: bool = False
    stat: Stat | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a sync changes, in the order of the paths.

    `kept_back` are files that would be removed, but were edited since we wrote them: they stay.
    """

    actions: tuple[Action, ...] = ()
    kept_back: tuple[RelPath, ...] = ()

    @property
    def needed(self) -> set[Sha256]:
        """The files that carrying it out writes."""
        return {action.after.sha256 for action in self.actions if action.after is not None}
