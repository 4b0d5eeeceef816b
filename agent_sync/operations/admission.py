"""Admission control: what a source must pass to enter the lock, and a lock to be applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from agent_sync.checkout import INHERITED
from agent_sync.errors import AgentSyncError, ContentRefused, Untrusted
from agent_sync.events import Refused
from agent_sync.lock import Lock, LockedSource
from agent_sync.operations.desired import DesiredState
from agent_sync.operations.inputs import Inputs
from agent_sync.plan.derive import derive_source
from agent_sync.sources.concurrent import outcome_of
from agent_sync.store.contents import Contents
from agent_sync.supply import Supplier
from agent_sync.targets import placements

# -- A source, before it enters the lock: its transforms succeed, and the content gate lets it pass.


def admit(
    outcome: LockedSource | AgentSyncError, known: Lock, inputs: Inputs, supplier: Supplier
) -> LockedSource | AgentSyncError:
    """Return the source with its transforms run, or the error that keeps it out of the lock.

    The lock's unknown fields are carried over to an unchanged source. What its transforms make is derived anew: nothing
    but the lock records that, and the lock is what is being renewed.
    """
    if isinstance(outcome, AgentSyncError):
        _announce_refusal(outcome, inputs)  # a policy may have refused where it comes from, or who signed it
        return outcome
    return outcome_of(lambda: _transform_and_gate(_carry_over(outcome, known), inputs, supplier))


@contextmanager
def audited_refusals(inputs: Inputs) -> Iterator[None]:
    """Announce whatever a policy or a gate refuses in the `with` block."""
    try:
        yield
    except AgentSyncError as error:
        _announce_refusal(error, inputs)
        raise


def _announce_refusal(error: AgentSyncError, inputs: Inputs) -> None:
    if isinstance(error, (Untrusted, ContentRefused)):
        inputs.audit(Refused(error.subject, error.rule, error.check))


def _transform_and_gate(resolved: LockedSource, inputs: Inputs, supplier: Supplier) -> LockedSource:
    derived = derive_source(resolved, inputs.configured(), inputs.world, supply=supplier)
    with audited_refusals(inputs):
        _gate(derived, inputs, supplier)
    return derived


def _carry_over(resolved: LockedSource, known: Lock) -> LockedSource:
    before = known.source(resolved.name)
    if before is None:
        return resolved
    if before.pin != resolved.pin:
        return replace(resolved, unknown=before.unknown)
    return replace(before, declaration=resolved.declaration, status=resolved.status, transformed=None)


def _gate(derived: LockedSource, inputs: Inputs, supplier: Supplier) -> None:
    from agent_sync.guard import refuse_dangerous  # here: sync, which imports this module, has no use for its tables

    config = inputs.configured()
    directories = tuple(each.to for each in placements(config) if each.source == derived.name)
    with Contents(inputs.world.store) as contents:
        if derived.transformed is not None and derived.transformed.packed is not None:
            contents.add_tree(derived.transformed.packed)
        supplier.add_to(contents, (derived,))
        refuse_dangerous(derived, directories, allow=config.source(derived.name).allow, contents=contents)


# -- A lock, before it is applied: where a policy requires signatures, a signed bundle must hold it.


def refuse_untrusted(locks: Sequence[bytes], inputs: Inputs) -> None:
    """Raise Untrusted if a policy refuses one of these lock files.

    Where signatures are required, each must be held byte for byte by a bundle that was pulled here, or signed here, and
    that the policies accept; and no lock may name what is revoked. Both are judged anew every time, so that a
    revocation counts from the moment that it is known.
    """
    if not any(trust.rules or trust.require or trust.revoked for trust in inputs.demands.trust):
        return  # nothing that verifies signatures is even loaded
    from agent_sync.bundle.trust import TrustFiles, policy_of, require_trusted_lock

    policy = policy_of(inputs.demands.trust, TrustFiles(inputs.world.project, inputs.world.read_file))
    world = inputs.world
    with audited_refusals(inputs):
        for lock, file in zip(locks, (inputs.lock_file.label, INHERITED), strict=False):  # often there is but one
            require_trusted_lock(lock, policy, world.store, world.records, name=inputs.bundle_name, file=file)


def refuse_unsigned_outputs(desired: DesiredState, inputs: Inputs, *, signed: Lock) -> None:
    """Raise Untrusted if signatures are required and the configuration makes outputs that no `signed` lock records.

    Nobody has signed the configuration: only the lock's own outputs are covered by its signature.
    """
    if not any(trust.rules or trust.require for trust in inputs.demands.trust):
        return
    if desired.recipe_changed or signed.outputs is None:
        with audited_refusals(inputs):
            raise Untrusted(
                subject=inputs.lock_file.label,
                check="the policy requires signatures, and the configuration makes other outputs than the signed lock",
                remedy="agent-sync update, and have the new lock signed: agent-sync push --sign",
            )
