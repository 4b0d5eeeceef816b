"""sync: the lock's outputs in the project, all or nothing (spec §9.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_sync.apply import Applied, apply, survey
from agent_sync.errors import BlobCorrupt
from agent_sync.events import BlobSetAside
from agent_sync.lock import Lock
from agent_sync.lock.writer import lock_bytes
from agent_sync.operations.admission import refuse_unsigned_outputs, refuse_untrusted
from agent_sync.operations.desired import DesiredState, desired_state, edited_sources, refuse_no_outputs
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.operations.recover import exclusive_access
from agent_sync.plan.actions import Action, Plan, Step, build
from agent_sync.plan.observe import Observed, all_paths, observe
from agent_sync.plan.preview import FileDiff, previews
from agent_sync.supply import Supplier
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest

ATTEMPTS = 3  # a corrupt blob is set aside and fetched again; more than two of them is no accident


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What was done, or with `dry_run` would be done. `diffs` has the plan's unified diffs (dry run only).

    `unchanged` outputs were right already. `orphans` are files of an earlier lock that were left where they are, for
    prune to remove; the plan's `kept_back` are those that prune would leave, because they were edited.
    """

    plan: Plan
    unchanged: tuple[RelPath, ...]
    orphans: tuple[RelPath, ...]
    diffs: tuple[FileDiff, ...] = ()
    applied: Applied | None = None
    dry_run: bool = False

    @property
    def written(self) -> tuple[Action, ...]:
        """The files that were created or replaced."""
        return _partition(self.plan.actions)[0]

    @property
    def removed(self) -> tuple[Action, ...]:
        """The files that were removed."""
        return _partition(self.plan.actions)[1]


def sync(inputs: Inputs, *, dry_run: bool = False, locked: bool = False, prune: bool = False) -> SyncResult:
    """The project holds exactly the outputs of the lock; a dry run finds out what that takes, and changes nothing.

    1 what should be there; 2 local sources still are what was locked; 3 what is there; 4 the plan; 5 every byte it
    needs, verified; 6 all of it applied, or nothing.

    Raises: the errors of each step; after any of them the project is as it was before.
    """
    with exclusive_access(inputs, dry_run=dry_run):
        supplier = inputs.supplier()
        locks = read_locks(inputs)
        refuse_untrusted(locks.contents, inputs)
        refuse_no_outputs(inputs, locks.effective)
        desired = desired_state(inputs, locks, supplier, locked=locked)
        refuse_unsigned_outputs(desired, inputs, signed=locks.effective)
        _refuse_edited_sources(inputs, desired.lock)
        observed = _observe(inputs, desired)
        whole = build(desired.outputs, desired.recorded, observed, remove=desired.orphans)
        writes, removals = _partition(whole.actions)
        plan = whole if prune else replace(whole, actions=writes)
        orphans = () if prune else tuple(action.path for action in removals)
        result = SyncResult(plan, _unchanged(desired, plan), orphans, dry_run=dry_run)
        return _previewed(inputs, desired, result, supplier) if dry_run else _applied(inputs, desired, result, supplier)


def _partition(actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """What writes, and what removes."""
    removals = tuple(action for action in actions if action.step is Step.REMOVE)
    return tuple(action for action in actions if action.step is not Step.REMOVE), removals


def _refuse_edited_sources(inputs: Inputs, lock: Lock) -> None:
    """A local directory that is there must be what was locked; one that is not is served by the store."""
    for _, error in edited_sources(inputs, lock):
        raise error


def _observe(inputs: Inputs, desired: DesiredState) -> Observed:
    paths = all_paths(desired.outputs, desired.orphans)
    world = inputs.world
    return observe(
        world.project, paths, directories=desired.directories, trusting=True, cancellation=world.cancellation
    )


def _unchanged(desired: DesiredState, plan: Plan) -> tuple[RelPath, ...]:
    touched = {action.path for action in plan.actions}
    return tuple(path for path in desired.outputs if path not in touched)


def _previewed(inputs: Inputs, desired: DesiredState, result: SyncResult, supplier: Supplier) -> SyncResult:
    survey(result.plan, inputs.world.project, now_s=inputs.world.clock.now_s())  # what a real run would stumble over
    with supplier.contents(desired.lock, result.plan.needed) as contents:
        return replace(result, diffs=tuple(previews(result.plan.actions, contents, inputs.world.project)))


def _applied(inputs: Inputs, desired: DesiredState, result: SyncResult, supplier: Supplier) -> SyncResult:
    lock = lock_bytes(_as_written(desired, result))
    applied = _apply(inputs, desired, result.plan, supplier, applied_lock=lock, attempts=ATTEMPTS)
    inputs.world.roots.remember(lock, path=inputs.lock_file.path)
    return replace(result, applied=applied)


def _apply(
    inputs: Inputs, desired: DesiredState, plan: Plan, supplier: Supplier, *, applied_lock: bytes, attempts: int
) -> Applied:
    """The plan, carried out. A blob that proves corrupt while files are staged is set aside and supplied again."""
    try:
        with supplier.contents(desired.lock, plan.needed) as contents:
            return apply(plan, contents, inputs.checkout, inputs.world, applied_lock=applied_lock)
    except BlobCorrupt as error:
        inputs.world.store.set_aside(Digest(error.digest))
        inputs.world.observer(BlobSetAside(error.digest))
        if attempts == 1:
            raise
    return _apply(inputs, desired, plan, supplier, applied_lock=applied_lock, attempts=attempts - 1)


def _as_written(desired: DesiredState, result: SyncResult) -> Lock:
    """The lock that this checkout then holds: without the orphans that are gone."""
    gone = {action.path for action in result.removed}
    return replace(desired.lock, orphans=tuple(each for each in desired.lock.orphans if each.path not in gone))
