"""Compare two locks, and split off what only the layers of a user add.

A user's own layers add to the shared lock: they overlay it (docs/reference/configuration.md, "Layers").
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from agent_sync.lock.file import lock_bytes
from agent_sync.lock.model import Lock, LockedSource, outputs_tree, overlay
from agent_sync.sources import describe
from agent_sync.tree import Change, Tree
from agent_sync_oci.records import record


def inherited_part(shared: Lock, merged: Lock) -> Lock | None:
    """Return what must overlay `shared` to get `merged`; None if they say the same."""
    sources = tuple(source for source in merged.sources if source != shared.source(source.name))
    same_outputs = merged.outputs == shared.outputs and merged.rendered == shared.rendered
    if not sources and same_outputs and merged.orphans == shared.orphans:
        return None
    part = replace(merged, sources=sources, unknown={})
    return replace(part, outputs=None, rendered=None) if same_outputs else part


class SourceChange(NamedTuple):
    """One source of either lock. `before` and `after` name what it is pinned to; None where it is not in that lock."""

    name: str
    before: str | None
    after: str | None
    files: tuple[Change, ...] = ()
    transformed: tuple[Change, ...] = ()


@record
class LockDifference:
    """Everything that differs: sources in the order of the new lock, then those that are gone, and the outputs.

    `sources` holds only what changed; `outputs` the output files; `same` says that both locks have one text.
    """

    sources: tuple[SourceChange, ...]
    outputs: tuple[Change, ...]
    same: bool


def difference(before: Lock | None, after: Lock) -> LockDifference:
    """Return what `after` changes, for a person to read before it is written."""
    old = Lock() if before is None else before
    same = before is not None and lock_bytes(before) == lock_bytes(after)
    return LockDifference(_source_changes(old, after), outputs_tree(old).changes_to(outputs_tree(after)), same)


def inherited_difference(
    before: Lock | None, after: Lock | None, *, shared_before: Lock, shared_after: Lock
) -> LockDifference:
    """Return what changes in a user's layers over a shared lock, and in the outputs that follow; None is no layer."""
    old, new = before or Lock(), after or Lock()
    outputs = _added_outputs(before, shared_before).changes_to(_added_outputs(after, shared_after))
    return LockDifference(_source_changes(old, new), outputs, lock_bytes(old) == lock_bytes(new))


def _added_outputs(part: Lock | None, shared: Lock) -> Tree:
    """Return the outputs that differ, or are more, because `part` overlays `shared`."""
    if part is None:
        return Tree()
    alone = outputs_tree(shared)
    return Tree(
        (path, entry) for path, entry in outputs_tree(overlay(shared, part)).items() if alone.get(path) != entry
    )


def _source_changes(old: Lock, after: Lock) -> tuple[SourceChange, ...]:
    names = dict.fromkeys([source.name for source in after.sources] + [source.name for source in old.sources])
    changes = (_source_change(name, old.source(name), after.source(name)) for name in names)
    return tuple(change for change in changes if change is not None)


def _source_change(name: str, before: LockedSource | None, after: LockedSource | None) -> SourceChange | None:
    if before == after:
        return None
    old = Tree() if before is None else before.tree
    new = Tree() if after is None else after.tree
    derived = Tree() if before is None else before.derived
    return SourceChange(
        name=name,
        before=None if before is None else describe(before).summary,
        after=None if after is None else describe(after).summary,
        files=old.changes_to(new),
        transformed=derived.changes_to(Tree() if after is None else after.derived),
    )
