"""What a resolved source must pass before it enters the lock: its transforms succeed, and the content gate lets it
through.
"""

from __future__ import annotations

from dataclasses import replace

from agent_sync.config import Config
from agent_sync.errors import AgentSyncError
from agent_sync.guard import refuse_dangerous
from agent_sync.lock import Lock, LockedSource
from agent_sync.plan.deriving import with_transforms
from agent_sync.ports import World
from agent_sync.resolve.side_by_side import outcome_of
from agent_sync.store.contents import Contents
from agent_sync.supply import Supplier
from agent_sync.targets import placements


def admitted(
    outcome: LockedSource | AgentSyncError, known: Lock, config: Config, world: World, supplier: Supplier
) -> LockedSource | AgentSyncError:
    """The source with its transforms run, or the error that keeps it out; what failed already stays as it is.

    Of an unchanged source the lock's unknown fields are carried over. What its transforms make is made again: nothing
    but the lock says what that is, and the lock is what is being renewed.
    """
    if isinstance(outcome, AgentSyncError):
        return outcome
    return outcome_of(lambda: _passed(_carried_over(outcome, known), config, world, supplier))


def _passed(resolved: LockedSource, config: Config, world: World, supplier: Supplier) -> LockedSource:
    made = with_transforms(resolved, config, world, supply=supplier)
    _gate(made, config, world, supplier)
    return made


def _carried_over(resolved: LockedSource, known: Lock) -> LockedSource:
    before = known.source(resolved.name)
    if before is None:
        return resolved
    if before.pin != resolved.pin:
        return replace(resolved, unknown=before.unknown)
    return replace(before, declared=resolved.declared, status=resolved.status, transformed=None)


def _gate(made: LockedSource, config: Config, world: World, supplier: Supplier) -> None:
    folders = tuple(each.to for each in placements(config) if each.source == made.name)
    with Contents(world.store) as contents:
        if made.transformed is not None and made.transformed.packed is not None:
            contents.add_tree(made.transformed.packed)
        supplier.add_to(contents, (made,))
        refuse_dangerous(made, folders, allow=config.source(made.name).allow, contents=contents)
