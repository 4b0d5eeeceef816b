"""sync: write the outputs that the lock records, all or nothing (spec §9.1)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from agent_sync.apply import Applied, apply, survey
from agent_sync.errors import BlobCorrupt
from agent_sync.events import BlobSetAside, OutputsApplied
from agent_sync.lock import Lock
from agent_sync.lock.file import lock_bytes
from agent_sync.operations.desired import (
    DesiredState,
    desired_state,
    edited_sources,
    refuse_no_outputs,
    refuse_unsigned_outputs,
    refuse_untrusted,
)
from agent_sync.operations.inputs import Inputs, Run, read_locks
from agent_sync.operations.phases import audited, exclusive_access, require_recovered, retry_if_moved
from agent_sync.plan.actions import Action, FileDiff, Plan, Step, build, previews
from agent_sync.plan.drift import Observed, all_paths, observe
from agent_sync.supply import Supplier
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record

_BLOB_ATTEMPTS = 3  # a corrupt blob is set aside and fetched again; more than two of them is no accident


@record
class SyncResult:
    """What a sync did, or with `dry_run` would do. `diffs` are the unified diffs of the plan (dry run only).

    `unchanged` outputs matched the lock already. `orphans` are files of an earlier lock that were left where they are,
    for prune to remove; the plan's `kept_back` are those that prune would leave, because they were edited.
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


class SyncPlan(NamedTuple):
    """What a sync would do, and all that executing it needs."""

    inputs: Inputs
    supplier: Supplier
    desired: DesiredState
    result: SyncResult


def sync(
    run: Run, *, dry_run: bool = False, locked: bool = False, frozen: bool = False, prune: bool = False
) -> SyncResult:
    """Make the project hold exactly the outputs of the lock; a dry run finds out what that takes, and changes nothing.

    Raises: the errors of `plan` and `execute`, MovedMeanwhile; after any of them the project is as it was before.
    """

    def attempt() -> SyncResult:
        inputs = run.inputs(frozen=frozen)
        require_recovered(inputs, dry_run=dry_run)
        planned = plan(inputs, locked=locked, prune=prune)
        return preview(planned) if dry_run else execute(planned)

    return retry_if_moved(attempt)


def plan(inputs: Inputs, *, locked: bool = False, prune: bool = False) -> SyncPlan:
    """Compare what should be there with what is there.

    1 the lock, and what the policies say of it; 2 what should be there; 3 local sources still are what was locked; 4
    what is there; 5 the actions that lead from one to the other.

    Raises: LockMissing, LockInvalid, LockStale, Untrusted, UnsafePath, FileSystemError, what deriving raises.
    """
    supplier = inputs.supplier()
    locks = read_locks(inputs)
    refuse_untrusted(locks.contents, inputs)  # first: an untrusted lock decides nothing, not even what to fetch
    refuse_no_outputs(inputs, locks.effective)
    desired = desired_state(inputs, locks, supplier, locked=locked)
    refuse_unsigned_outputs(desired, inputs, signed=locks.effective)
    _refuse_edited_sources(inputs, desired.lock)
    whole = build(desired.outputs, desired.recorded, _observe(inputs, desired), remove=desired.orphans)
    # Planned even if they are not to be removed: the result names what prune would remove.
    writes, removals = _partition(whole.actions)
    chosen = whole if prune else replace(whole, actions=writes)
    orphans = () if prune else tuple(action.path for action in removals)
    return SyncPlan(inputs, supplier, desired, SyncResult(chosen, _unchanged(desired, chosen), orphans))


def preview(planned: SyncPlan) -> SyncResult:
    """Return what executing the plan would do, with the diffs; whatever would stop it is raised.

    Raises: UnsafePath, FileSystemError, BytesUnavailable, DigestMismatch, NetworkError.
    """
    inputs, result = planned.inputs, planned.result
    survey(result.plan, inputs.world.project, now_s=inputs.world.clock.now_s())
    with planned.supplier.contents(planned.desired.lock, result.plan.needed) as contents:
        diffs = tuple(previews(result.plan.actions, contents, inputs.world.project))
    return replace(result, diffs=diffs, dry_run=True)


def execute(planned: SyncPlan) -> SyncResult:
    """Write what was planned: every byte is verified first, and then all of it is applied, or nothing.

    Raises: ProjectBusy, MovedMeanwhile, what supplying and `apply` raise.
    """
    inputs, result = planned.inputs, planned.result
    with exclusive_access(inputs, result.plan.actions):
        lock = lock_bytes(_lock_after(planned))
        applied = _apply(planned, applied_lock=lock, attempts=_BLOB_ATTEMPTS)
        # Afterwards: what a failed sync would have used need not be kept from being reclaimed.
        inputs.world.roots.remember(lock, path=inputs.lock_file.path)
    return replace(result, applied=applied)


def _partition(actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return the actions that write, and those that remove."""
    removals = tuple(action for action in actions if action.step is Step.REMOVE)
    return tuple(action for action in actions if action.step is not Step.REMOVE), removals


def _refuse_edited_sources(inputs: Inputs, lock: Lock) -> None:
    """Raise if a local source's directory is there and is not what was locked; the cache serves one that is not."""
    for _, error in edited_sources(inputs, lock):
        raise error


def _observe(inputs: Inputs, desired: DesiredState) -> Observed:
    paths = all_paths(desired.outputs, desired.orphans)
    return observe(inputs.world.project, paths, trusting=True, cancellation=inputs.world.cancellation)


def _unchanged(desired: DesiredState, chosen: Plan) -> tuple[RelPath, ...]:
    touched = {action.path for action in chosen.actions}
    return tuple(path for path in desired.outputs if path not in touched)


def _apply(planned: SyncPlan, *, applied_lock: bytes, attempts: int) -> Applied:
    """Apply the plan. A blob that proves corrupt while files are staged is set aside and supplied again."""
    inputs, chosen = planned.inputs, planned.result.plan
    try:
        with (
            planned.supplier.contents(planned.desired.lock, chosen.needed) as contents,
            _audited(planned, applied_lock),
        ):
            return apply(chosen, contents, inputs.checkout, inputs.world, applied_lock=applied_lock)
    except BlobCorrupt as error:
        inputs.world.store.set_aside(Digest(error.digest))
        inputs.world.observer(BlobSetAside(error.digest))
        if attempts == 1:
            raise
    return _apply(planned, applied_lock=applied_lock, attempts=attempts - 1)


def _audited(planned: SyncPlan, applied_lock: bytes) -> AbstractContextManager[None]:
    """Announce the outputs that change; a sync that changes nothing leaves no record."""
    result = planned.result
    if not result.plan.actions:
        return nullcontext()
    written, removed = (tuple(action.path for action in each) for each in (result.written, result.removed))
    return audited(planned.inputs, OutputsApplied(Digest.of(applied_lock), written, removed))


def _lock_after(planned: SyncPlan) -> Lock:
    """Return the lock that this checkout then holds: without the orphans that are gone."""
    lock, gone = planned.desired.lock, {action.path for action in planned.result.removed}
    return replace(lock, orphans=tuple(each for each in lock.orphans if each.path not in gone))
