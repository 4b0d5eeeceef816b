"""Desired, recorded and actual compared path by path -> a `Plan`; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent_sync.errors import AgentSyncError, FileFault, UnsafePath
from agent_sync.escaping import shown
from agent_sync.lock import Orphan
from agent_sync.lock.outputs import Output
from agent_sync.plan.model import Action, Plan, Step
from agent_sync.plan.observing import Observed
from agent_sync.ports import Kind
from agent_sync.tree import Entry, RelPath, sorted_paths


def build(
    desired: Mapping[RelPath, Output],
    recorded: Mapping[RelPath, Entry],
    observed: Observed,
    *,
    remove: Mapping[RelPath, Orphan],
) -> Plan:
    """The actions that make the disk what is desired, in path order.

    `recorded` is what was written last: what differs from it is somebody's edit. `remove` are the orphans that are to
    go; those that were edited stay, and the plan says so.

    Raises: UnsafePath where a target is a symbolic link, FileFault where it is a folder or a device.
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
    """Those that are there and are not what was written: nothing but their owner may remove them."""
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
    for path, (entry, source) in desired.items():
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
    subject = f"source {source}, output {shown(path)}"
    if kind is Kind.LINK:
        return UnsafePath(
            subject=subject,
            check="a symbolic link stands there, and agent-sync never writes through one",
            remedy="remove the link, or give the source another destination",
        )
    what = "a folder" if kind is Kind.FOLDER else "something that is no file"
    return FileFault(
        subject=subject, check=f"{what} stands there", remedy="move it away, or give the source another destination"
    )
