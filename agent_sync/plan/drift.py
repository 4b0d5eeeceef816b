"""Tell how far the disk has drifted from the lock (spec §9.3, §9.5).

Three trees are compared: what should be there, what was written last, and what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from agent_sync.lock.outputs import Output
from agent_sync.plan.observe import Observed
from agent_sync.targets import OwnedDirectories
from agent_sync.tree import Entry, RelPath


class State(Enum):
    """How far a source's files are what they should be (spec §9.5), from best to worst but for `pending`.

    `pending`: sync will write or change a file; `missing`: a file that was written is gone; `drifted`: somebody else
    changed one.
    """

    SYNCED = "synced"
    PENDING = "pending"
    MISSING = "missing"
    DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class Drift:
    """Where the disk differs from the desired outputs; all paths in order.

    `changed` and `missing` are outputs; `orphaned` are files of an earlier lock that are still there; `unexpected` are
    files in directories that are ours alone; `foreign` are files in directories that are shared, which is no drift
    unless strict.
    """

    changed: tuple[RelPath, ...]
    missing: tuple[RelPath, ...]
    orphaned: tuple[RelPath, ...]
    unexpected: tuple[RelPath, ...]
    foreign: tuple[RelPath, ...]

    def clean(self, *, strict: bool) -> bool:
        """Tell whether everything is as it should be."""
        found = self.changed or self.missing or self.orphaned or self.unexpected or (strict and self.foreign)
        return not found


def drift(
    desired: Mapping[RelPath, Output], observed: Observed, *, orphans: Iterable[RelPath], directories: OwnedDirectories
) -> Drift:
    """Return how what is there differs from what should be there."""
    others = observed.others
    return Drift(
        changed=tuple(path for path, output in desired.items() if _differs(path, output, observed)),
        missing=tuple(path for path in desired if path not in observed.files and path not in observed.obstacles),
        orphaned=tuple(path for path in orphans if path in observed.files or path in observed.obstacles),
        unexpected=tuple(path for path in others if not directories.is_shared(path)),
        foreign=tuple(path for path in others if directories.is_shared(path)),
    )


def _differs(path: RelPath, output: Output, observed: Observed) -> bool:
    return path in observed.obstacles or (path in observed.files and observed.files[path] != output.entry)


def state_of(outputs: Mapping[RelPath, Entry], recorded: Mapping[RelPath, Entry], observed: Observed) -> State:
    """Return the state of one source whose outputs these are; the worst file decides."""
    states = {_file_state(path, entry, recorded.get(path), observed) for path, entry in outputs.items()}
    return next((state for state in (State.DRIFTED, State.MISSING, State.PENDING) if state in states), State.SYNCED)


def _file_state(path: RelPath, desired: Entry, written: Entry | None, observed: Observed) -> State:
    actual = observed.files.get(path)
    if actual == desired:
        return State.SYNCED
    if path in observed.obstacles:
        return State.DRIFTED
    if actual is None:
        return State.MISSING if written == desired else State.PENDING
    return State.PENDING if actual == written else State.DRIFTED
