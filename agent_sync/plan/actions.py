"""Compare desired, recorded and actual files path by path, and plan an action for each difference.

A plan is a value that can be printed, compared and carried out. Nothing here looks at a disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from agent_sync.errors import AgentSyncError, FileSystemError, UnsafePath
from agent_sync.lock import Orphan
from agent_sync.lock.outputs import Output
from agent_sync.plan.observe import Observed
from agent_sync.ports import Kind, Stat
from agent_sync.tree import Entry, RelPath, Sha256, sorted_paths
from agent_sync_oci.text import quoted

# -- A plan: what happens to each path, as values that can be printed, compared and carried out.


class Step(Enum):
    """What happens to one path."""

    CREATE = "create"
    REPLACE = "replace"
    REMOVE = "remove"


class Action(NamedTuple):
    """One path that has to change, and the source that is the reason.

    `before` is what is there now and `after` what will be (None: nothing). `edited` says that what is there is neither
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
        """The digests of the files that applying the plan writes."""
        return {action.after.sha256 for action in self.actions if action.after is not None}


# -- Desired, recorded and actual compared path by path -> a `Plan`; pure.


def build(
    desired: Mapping[RelPath, Output],
    recorded: Mapping[RelPath, Entry],
    observed: Observed,
    *,
    remove: Mapping[RelPath, Orphan],
) -> Plan:
    """Return the plan that makes the disk what is desired, its actions in path order.

    `recorded` is what was written last: what differs from it is somebody's edit. `remove` are the orphans that are to
    go; those that were edited stay, and the plan says so.

    Raises: UnsafePath where a target is a symbolic link, FileSystemError where it is a directory or a device.
    """
    _refuse_obstacles(desired, observed)
    actions = {action.path: action for action in _writes(desired, recorded, observed)}
    edited = edited_orphans(remove, recorded, observed)
    for path, orphan in remove.items():
        actual = observed.files.get(path)
        if actual is not None and path not in edited:
            actions[path] = Action(Step.REMOVE, path, orphan.source, actual, None, stat=observed.stats[path])
    return Plan(tuple(actions[path] for path in sorted_paths(actions)), tuple(sorted_paths(edited)))


def edited_orphans(
    orphans: Mapping[RelPath, Orphan], recorded: Mapping[RelPath, Entry], observed: Observed
) -> frozenset[RelPath]:
    """Return the orphans that are there and are not what was written: only their owner may remove them."""
    found = {path: observed.files.get(path) for path in orphans}
    return frozenset(
        path
        for path, actual in found.items()
        if path in observed.obstacles
        or (actual is not None and actual not in (orphans[path].entry, recorded.get(path)))
    )


def _writes(
    desired: Mapping[RelPath, Output], recorded: Mapping[RelPath, Entry], observed: Observed
) -> Iterator[Action]:
    for path, output in desired.items():
        entry, source = output.entry, output.source
        actual = observed.files.get(path)
        if actual is None:
            yield Action(Step.CREATE, path, source, None, entry)
        elif actual != entry:
            edited = actual != recorded.get(path)
            yield Action(Step.REPLACE, path, source, actual, entry, edited=edited, stat=observed.stats[path])


def _refuse_obstacles(desired: Mapping[RelPath, Output], observed: Observed) -> None:
    for path, kind in observed.obstacles.items():
        if path in desired:
            raise _obstacle(path, kind, desired[path].source)


def _obstacle(path: RelPath, kind: Kind, source: str) -> AgentSyncError:
    subject = f"source {source}, output {quoted(path)}"
    if kind is Kind.LINK:
        return UnsafePath(
            subject=subject,
            check="a symbolic link is in the way, and agent-sync never writes through one",
            remedy="remove the link, or give the source another destination",
        )
    what = "a directory" if kind is Kind.DIRECTORY else "something that is no file"
    return FileSystemError(
        subject=subject, check=f"{what} is in the way", remedy="move it away, or give the source another destination"
    )
