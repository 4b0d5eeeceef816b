"""What should be there now: the one answer that sync, check, status, diff and prune share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent_sync.config import Config
from agent_sync.errors import LockInvalid, LockIsStale
from agent_sync.escaping import shown
from agent_sync.events import Warned
from agent_sync.lock import Lock, Orphan
from agent_sync.lock.orphans import with_orphans
from agent_sync.lock.outputs import Output, placed, same_outputs
from agent_sync.operations.inputs import Inputs, Locks
from agent_sync.plan.deriving import derived
from agent_sync.plan.staleness import refuse_stale
from agent_sync.supply import Supplier
from agent_sync.targets import OwnedFolders, owned_folders
from agent_sync.targets.uniting import refuse_own_files
from agent_sync.tree import Entry, RelPath, refuse_collisions


@dataclass(frozen=True, slots=True)
class Desired:
    """`lock` says what should be there, `recorded` what was written here last (empty if unknown).

    `orphans` were written once, by this lock or an earlier one, and should not be there any more.
    """

    lock: Lock
    outputs: Mapping[RelPath, Output]
    folders: OwnedFolders
    orphans: Mapping[RelPath, Orphan]
    recorded: Mapping[RelPath, Entry]
    recipe_changed: bool


def desire(inputs: Inputs, locks: Locks, supplier: Supplier, *, locked: bool = False) -> Desired:
    """What the lock and, unless it is frozen, the configuration want here.

    If only the recipe changed since the lock was made (targets, overrides, transforms, variables), the outputs are
    derived again from the locked sources, with a warning; `locked` makes that an error.

    Raises: LockIsStale, LockMissing, AmbiguousOutput, TransformFailed, UnsafePath, and what supplying raises.
    """
    effective = locks.effective
    wanted = effective if inputs.config is None else _derived(inputs, inputs.config, effective, supplier)
    changed = _recipe(wanted) != _recipe(effective) and effective.outputs is not None
    if changed:
        _say_recipe_changed(inputs, effective, wanted, locked=locked)
    return _desired(wanted, locks, recipe_changed=changed)


def refuse_no_outputs(inputs: Inputs, lock: Lock) -> None:
    """Another implementation's lock does not say where files go; taken by its word, all that is here is an orphan."""
    if inputs.config is None and lock.outputs is None:
        raise LockInvalid(
            subject=inputs.lock_file.shown,
            check="it does not say where files go (`outputs`), and no configuration is read that does",
            remedy="record it where the configuration is: agent-sync update",
        )


def _derived(inputs: Inputs, config: Config, lock: Lock, supplier: Supplier) -> Lock:
    refuse_stale(config, lock, inherited=_inherited_names(inputs))
    return derived(lock, config, inputs.world, supply=supplier)


def _inherited_names(inputs: Inputs) -> frozenset[str]:
    """The sources that only the user's own layers declare."""
    if inputs.config is None or inputs.shared is None:
        return frozenset()
    return frozenset(each.name for each in inputs.config.sources if each not in inputs.shared.sources)


def _recipe(lock: Lock) -> object:
    """The part of a lock that the configuration's recipe decides."""
    made = {source.name: source.transformed for source in lock.sources}
    return lock.outputs, lock.rendered, made, lock.tool_map


def _say_recipe_changed(inputs: Inputs, recorded: Lock, wanted: Lock, *, locked: bool) -> None:
    check = "targets, overrides, transforms or variables changed since the lock was made"
    gone = [shown(each.name) for each in recorded.sources if wanted.source(each.name) is None]
    if gone:
        check = f"it has what is declared no more: {', '.join(gone)}"
    if locked:
        raise LockIsStale(subject=inputs.lock_file.shown, check=check, remedy="record it: agent-sync update")
    message = f"{check}; the outputs are derived again, `agent-sync update` records them"
    inputs.world.observer(Warned("recipe-changed", inputs.lock_file.shown, message))


def _desired(wanted: Lock, locks: Locks, *, recipe_changed: bool) -> Desired:
    outputs = placed(wanted)
    refuse_own_files(outputs)
    refuse_collisions(outputs, subject="the outputs")
    before = with_orphans(locks.applied, with_orphans(locks.effective, replace(wanted, orphans=())))
    return Desired(
        lock=replace(wanted, orphans=before.orphans),
        outputs=outputs,
        folders=owned_folders(wanted.outputs or ()),
        orphans={orphan.path: orphan for orphan in before.orphans},
        recorded={path: output.entry for path, output in _written(locks.applied, wanted, outputs).items()},
        recipe_changed=recipe_changed,
    )


def _written(applied: Lock | None, wanted: Lock, outputs: Mapping[RelPath, Output]) -> Mapping[RelPath, Output]:
    """What was written last: as a rule just what is wanted now."""
    if applied is None:
        return {}
    return outputs if same_outputs(applied, wanted) else placed(applied)
