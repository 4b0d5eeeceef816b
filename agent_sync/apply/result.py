"""What was done."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.checkout import KeptEdit
from agent_sync.tree import RelPath


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan that was carried out: the targets that were written and removed, in order, and the edits kept."""

    written: tuple[RelPath, ...] = ()
    removed: tuple[RelPath, ...] = ()
    kept: tuple[KeptEdit, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovered:
    """An interrupted run that is settled now.

    It was `finished` if it had come to its last step, else undone; `restored` targets then are as they were before it.
    """

    finished: bool
    restored: tuple[RelPath, ...] = ()
    kept: tuple[KeptEdit, ...] = ()
