"""prune: what was written and is declared no more goes, from the project and from the lock (spec §9.7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_sync.apply import Applied, apply
from agent_sync.config import Config
from agent_sync.lock import Lock, Orphan, Rendered
from agent_sync.lock.difference import LockDifference, difference, inherited_part
from agent_sync.lock.outputs import outputs_of, with_orphans
from agent_sync.lock.packing import packable, store_tree
from agent_sync.lock.writer import lock_bytes
from agent_sync.operations.desired import refuse_symlinks
from agent_sync.operations.inputs import Inputs, Locks, read_locks
from agent_sync.operations.recover import exclusive_access
from agent_sync.plan.actions import Action, Plan, build
from agent_sync.plan.observe import observe
from agent_sync.ports import BlobStore
from agent_sync.store.contents import Contents
from agent_sync.targets import placements
from agent_sync.tree import RelPath, Tree


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The plan (removals only), the lock before and after, and what differs. `kept_back` files were edited and stay."""

    plan: Plan
    before: Lock
    after: Lock
    difference: LockDifference
    applied: Applied | None = None

    @property
    def removed(self) -> tuple[Action, ...]:
        """The files that go."""
        return self.plan.actions

    @property
    def kept_back(self) -> tuple[RelPath, ...]:
        """Files that nothing declares any more, but that were edited since they were written."""
        return self.plan.kept_back


def prune(inputs: Inputs, *, dry_run: bool = False) -> PruneResult:
    """Files that an earlier lock had written and that the configuration declares no more are gone, and so are their
    entries. Where there is no configuration, the lock says what is declared, and stays as it arrived.

    Only files that still are what was written go; edited ones stay, with their entry, and are reported.

    Raises: LockMissing, LockInvalid, UnsafePath; FileSystemError, after which everything is as it was.
    """
    with exclusive_access(inputs, dry_run=dry_run):
        config, shared = inputs.config, inputs.shared or inputs.config
        locks = read_locks(inputs)
        after, merged = (
            _without_undeclared(locks.shared, shared, inputs),
            _without_undeclared(locks.effective, config, inputs),
        )
        orphans = _orphans(locks, merged, config)
        recorded = {} if locks.applied is None else {p: each.entry for p, each in outputs_of(locks.applied).items()}
        observed = observe(inputs.world.project, list(orphans), cancellation=inputs.world.cancellation)
        refuse_symlinks(observed)
        plan = build({}, recorded, observed, remove=orphans)
        staying = frozenset(plan.kept_back)
        after, merged = _keep_orphans(after, locks.shared, staying), _keep_orphans(merged, locks.effective, staying)
        after = locks.shared if config is None else after
        result = PruneResult(plan, locks.shared, after, difference(locks.shared, after))
        return result if dry_run else _applied(inputs, locks, result, merged)


def _without_undeclared(lock: Lock, config: Config | None, inputs: Inputs) -> Lock:
    """The lock without what the configuration does not declare any more; nothing is added that it does not have yet."""
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
    """What overrides made, for the outputs that are left. If its bytes are not at hand it is left out: sync makes it
    again.
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
    """Every file that some lock wrote here, and that neither `after` nor the configuration wants: a lock may lack
    outputs that are declared, when another implementation wrote it or somebody merged it.
    """
    known = {source.name for source in after.sources}
    places = after.outputs
    if config is not None:
        places = tuple(each for each in placements(config) if each.source in known)
    declared = outputs_of(replace(after, outputs=places, rendered=None))
    every = with_orphans(locks.applied, with_orphans(locks.effective, after))
    return {orphan.path: orphan for orphan in every.orphans if orphan.path not in declared}


def _keep_orphans(after: Lock, before: Lock, staying: frozenset[RelPath]) -> Lock:
    """`after` with the entries of the files that stay, so that `check` goes on reporting them."""
    orphans = with_orphans(before, after).orphans
    return replace(after, orphans=tuple(orphan for orphan in orphans if orphan.path in staying))


def _applied(inputs: Inputs, locks: Locks, result: PruneResult, merged: Lock) -> PruneResult:
    """The files first, then the locks: a crash in between leaves entries for files that are gone, which is no harm."""
    written = locks.applied or Lock()
    left = _keep_orphans(_without_undeclared(written, inputs.config, inputs), written, frozenset(result.kept_back))
    with Contents(inputs.world.store) as nothing_to_write:
        applied = apply(result.plan, nothing_to_write, inputs.checkout, inputs.world, applied_lock=lock_bytes(left))
    if inputs.config is not None:
        inputs.lock_file.write(result.after)
    if locks.inherited is not None:
        inherited = inherited_part(result.after, merged)
        inputs.checkout.write_inherited(None if inherited is None else lock_bytes(inherited))
    return replace(result, applied=applied)
