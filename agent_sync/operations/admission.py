"""Admission control: what a source must pass to enter the lock, and a lock to be applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent_sync.checkout import INHERITED
from agent_sync.config import Config
from agent_sync.errors import AgentSyncError, Untrusted
from agent_sync.guard import refuse_dangerous
from agent_sync.lock import Lock, LockedSource
from agent_sync.operations.desired import DesiredState
from agent_sync.operations.inputs import Inputs
from agent_sync.plan.derive import derive_source
from agent_sync.ports import World
from agent_sync.sources.concurrent import outcome_of
from agent_sync.store.contents import Contents
from agent_sync.supply import Supplier
from agent_sync.targets import placements

# -- What a resolved source must pass before it enters the lock: its transforms succeed, and the content gate lets it
# through.


def admit(
    outcome: LockedSource | AgentSyncError, known: Lock, config: Config, world: World, supplier: Supplier
) -> LockedSource | AgentSyncError:
    """The source with its transforms run, or the error that keeps it out; what failed already stays as it is.

    Of an unchanged source the lock's unknown fields are carried over. What its transforms make is made again: nothing
    but the lock says what that is, and the lock is what is being renewed.
    """
    if isinstance(outcome, AgentSyncError):
        return outcome
    return outcome_of(lambda: _transform_and_gate(_carry_over(outcome, known), config, world, supplier))


def _transform_and_gate(resolved: LockedSource, config: Config, world: World, supplier: Supplier) -> LockedSource:
    made = derive_source(resolved, config, world, supply=supplier)
    _gate(made, config, world, supplier)
    return made


def _carry_over(resolved: LockedSource, known: Lock) -> LockedSource:
    before = known.source(resolved.name)
    if before is None:
        return resolved
    if before.pin != resolved.pin:
        return replace(resolved, unknown=before.unknown)
    return replace(before, declared=resolved.declared, status=resolved.status, transformed=None)


def _gate(made: LockedSource, config: Config, world: World, supplier: Supplier) -> None:
    directories = tuple(each.to for each in placements(config) if each.source == made.name)
    with Contents(world.store) as contents:
        if made.transformed is not None and made.transformed.packed is not None:
            contents.add_tree(made.transformed.packed)
        supplier.add_to(contents, (made,))
        refuse_dangerous(made, directories, allow=config.source(made.name).allow, contents=contents)


# -- Where a policy demands it, a lock is as good as the signed bundle that holds it.


def refuse_untrusted(locks: Sequence[bytes], inputs: Inputs) -> None:
    """Nothing, if no policy says anything against these lockfiles.

    Where signatures are required, each must be held byte for byte by a bundle that was pulled here, or signed here, and
    that the policies accept; and nothing that is revoked may stand in one. Both are judged anew every time, so that
    what is revoked today counts today.

    Raises: Untrusted.
    """
    if not any(trust.rules or trust.require or trust.revoked for trust in inputs.demands.trust):
        return  # nothing of what judges is loaded
    from agent_sync.bundle.policy import TrustFiles, policy_of
    from agent_sync.bundle.records import require_trusted_lock

    policy = policy_of(inputs.demands.trust, TrustFiles(inputs.world.project, inputs.world.read_file))
    for lock, file in zip(locks, (inputs.lock_file.shown, INHERITED), strict=False):  # often there is but one
        world = inputs.world
        require_trusted_lock(lock, policy, world.store, world.records, name=inputs.bundle_name, file=file)


def refuse_unsigned_outputs(desired: DesiredState, inputs: Inputs, *, signed: Lock) -> None:
    """Nothing, unless signatures are required and what is wanted is not what the `signed` lock says: nobody has signed
    the configuration that makes it.

    Raises: Untrusted.
    """
    if not any(trust.rules or trust.require for trust in inputs.demands.trust):
        return
    if desired.recipe_changed or signed.outputs is None:
        raise Untrusted(
            subject=inputs.lock_file.shown,
            check="signatures are required, and the configuration makes other outputs than the signed lock says",
            remedy="agent-sync update, and have the new lock signed: agent-sync push --sign",
        )
