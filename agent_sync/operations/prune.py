"""prune: delete files that are no longer declared, and their entries in the lock (spec §9.7)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from agent_sync.apply import Applied, apply
from agent_sync.config import Config
from agent_sync.events import OutputsApplied
from agent_sync.lock import Lock, Orphan, Rendered
from agent_sync.lock.difference import LockDifference, difference, inherited_part
from agent_sync.lock.file import lock_bytes
from agent_sync.lock.model import outputs_of, with_orphans
from agent_sync.operations.desired import layer_outputs, refuse_symlinks
from agent_sync.operations.inputs import Inputs, Locks, Run, read_locks
from agent_sync.operations.phases import (
    audited,
    exclusive_access,
    replace_inherited_lock,
    replace_lock,
    require_recovered,
    retry_if_moved,
)
from agent_sync.plan.actions import Action, Plan, build
from agent_sync.plan.drift import observe
from agent_sync.ports import BlobStore
from agent_sync.sources.content import packable, store_tree
from agent_sync.store.contents import Contents
from agent_sync.targets import placements
from agent_sync.tree import RelPath, Tree
from agent_sync_oci.digest import Digest


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The plan (removals only), the lock before and after, and their difference."""

    plan: Plan
    before: Lock
    after: Lock
    difference: LockDifference
    applied: Applied | None = None
    dry_run: bool = False

    @property
    def removed(self) -> tuple[Action, ...]:
        """The files that are deleted."""
        return self.plan.actions

    @property
    def kept_back(self) -> tuple[RelPath, ...]:
        """Files that nothing declares any more, and that stay because they were edited since they were written."""
        return self.plan.kept_back


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What a prune would do, and what it was made from.

    `merged` is the lock in force that it leaves; `layered` are the files of the user's layers that it does not touch.
    """

    inputs: Inputs
    locks: Locks
    merged: Lock
    layered: frozenset[RelPath]
    result: PruneResult


def prune(run: Run, *, dry_run: bool = False) -> PruneResult:
    """Delete the files of an earlier lock that the configuration no longer declares, and their entries in the lock.

    Where there is no configuration, the lock says what is declared, and stays as it arrived. Only files that still are
    what was written are deleted; edited ones stay, with their entry, and are reported.

    Raises: what `plan` and `execute` raise; after FileSystemError everything is as it was.
    """

    def attempt() -> PruneResult:
        inputs = run.inputs_or_lock()
        require_recovered(inputs, dry_run=dry_run)
        planned = plan(inputs)
        return replace(planned.result, dry_run=True) if dry_run else execute(planned)

    return retry_if_moved(attempt)


def plan(inputs: Inputs) -> PrunePlan:
    """Find the files that nothing declares any more. Raises: LockMissing, LockInvalid, UnsafePath, FileSystemError."""
    config, shared = inputs.config, inputs.shared or inputs.config
    locks = read_locks(inputs)
    after = _without_undeclared(locks.shared, shared, inputs)
    merged = _without_undeclared(locks.effective, config, inputs)
    layered = layer_outputs(inputs, locks)
    orphans = {path: each for path, each in _orphans(locks, merged, config).items() if path not in layered}
    recorded = {} if locks.applied is None else {p: each.entry for p, each in outputs_of(locks.applied).items()}
    observed = observe(inputs.world.project, list(orphans), cancellation=inputs.world.cancellation)
    refuse_symlinks(observed)  # behind the link may be the very files: their entries must not be forgotten
    removals = build({}, recorded, observed, remove=orphans)
    staying = frozenset(removals.kept_back)
    after, merged = _keep_orphans(after, locks.shared, staying), _keep_orphans(merged, locks.effective, staying)
    after = locks.shared if config is None else after  # a lock without a configuration is somebody else's to change
    result = PruneResult(removals, locks.shared, after, difference(locks.shared, after))
    return PrunePlan(inputs, locks, merged, layered, result)


def execute(planned: PrunePlan) -> PruneResult:
    """Delete the files, and write the locks.

    Raises: ProjectBusy, MovedMeanwhile, UnsafePath, FileSystemError, RollbackIncomplete.
    """
    inputs, locks, result = planned.inputs, planned.locks, planned.result
    written = locks.applied or Lock()
    staying = frozenset(result.kept_back) | planned.layered
    applied_lock = lock_bytes(_keep_orphans(_without_undeclared(written, inputs.config, inputs), written, staying))
    removed = tuple(action.path for action in result.removed)
    event = OutputsApplied(Digest.of(applied_lock), (), removed)
    with exclusive_access(inputs, result.plan.actions):
        # The files first, then the locks: a crash in between leaves entries for files that are gone, which is no harm.
        # Nothing is written, so that the contents to write from may stay empty.
        with Contents(inputs.world.store) as no_contents, audited(inputs, event) if removed else nullcontext():
            applied = apply(result.plan, no_contents, inputs.checkout, inputs.world, applied_lock=applied_lock)
        if inputs.config is not None:
            replace_lock(inputs, lock_bytes(result.after))
        if locks.inherited is not None:
            inherited = inherited_part(result.after, planned.merged)
            replace_inherited_lock(inputs, None if inherited is None else lock_bytes(inherited))
    return replace(result, applied=applied)


def _without_undeclared(lock: Lock, config: Config | None, inputs: Inputs) -> Lock:
    """Return the lock without what the configuration no longer declares; nothing is added to it."""
    if config is None:
        return replace(lock, orphans=())
    declared = {source.name for source in config.sources}
    places = {(each.source, each.to) for each in placements(config)}
    bare = replace(
        lock,
        sources=tuple(source for source in lock.sources if source.name in declared),
        outputs=None
        if lock.outputs is None
        else tuple(each for each in lock.outputs if (each.source, each.to) in places),
        rendered=None,
        orphans=(),
    )
    return replace(bare, rendered=_restrict_rendered(lock.rendered, frozenset(outputs_of(bare)), inputs.world.store))


def _restrict_rendered(rendered: Rendered | None, paths: frozenset[RelPath], store: BlobStore) -> Rendered | None:
    """Return what overrides made of the outputs that are left.

    Without its bytes in the cache it is left out: sync derives it again.
    """
    if rendered is None or rendered.packed.files.keys() <= paths:
        return rendered
    left = Tree.in_order({path: entry for path, entry in rendered.packed.files.items() if path in paths})
    if not left or rendered.packed.blob is None or store.size(rendered.packed.blob) is None:
        return None
    with Contents(store) as contents:
        contents.add_tree(rendered.packed)
        packed = store_tree(packable(left, contents), store, subject="the overrides")
    return replace(rendered, packed=packed, owners={path: rendered.owners[path] for path in left})


def _orphans(locks: Locks, after: Lock, config: Config | None) -> dict[RelPath, Orphan]:
    """Return every file that some lock wrote here, and that neither `after` nor the configuration declares.

    A lock may lack outputs that are declared, if another implementation wrote it or somebody merged it.
    """
    known = {source.name for source in after.sources}
    places = after.outputs
    if config is not None:
        places = tuple(each for each in placements(config) if each.source in known)
    # Without `rendered`: what overrides make has the paths of what they apply to.
    declared = outputs_of(replace(after, outputs=places, rendered=None))
    every = with_orphans(locks.applied, with_orphans(locks.effective, after))
    return {orphan.path: orphan for orphan in every.orphans if orphan.path not in declared}


def _keep_orphans(after: Lock, before: Lock, staying: frozenset[RelPath]) -> Lock:
    """Return `after` with the entries of the files that stay, so that `check` goes on reporting them."""
    orphans = with_orphans(before, after).orphans
    return replace(after, orphans=tuple(orphan for orphan in orphans if orphan.path in staying))
