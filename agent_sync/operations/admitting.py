"""What a resolved source must pass before it enters the lock: its transforms succeed, and the content gate lets it
through.
"""

from __future__ import annotations

from dataclasses import replace

from agent_sync.config import Config
from agent_sync.errors import AgentSyncError, Cancelled
from agent_sync.guard import refuse_dangerous
from agent_sync.lock import Lock, LockedSource, Transformed
from agent_sync.plan.deriving import with_transforms
from agent_sync.ports import BlobStore, World
from agent_sync.store.contents import Contents
from agent_sync.supply import Supplier
from agent_sync.targets import placements


def admitted(
    outcome: LockedSource | AgentSyncError, known: Lock, config: Config, world: World, supplier: Supplier
) -> LockedSource | AgentSyncError:
    """The source with its transforms run, or the error that keeps it out; what failed already stays as it is.

    What the lock knows of an unchanged source is carried over: unknown fields, and the transforms' recorded result.
    """
    if isinstance(outcome, AgentSyncError):
        return outcome
    try:
        made = with_transforms(_carried_over(outcome, known, world.store), config, world, supply=supplier)
        _gate(made, config, world, supplier)
    except Cancelled:
        raise
    except AgentSyncError as error:
        return error
    return made


def _carried_over(resolved: LockedSource, known: Lock, store: BlobStore) -> LockedSource:
    before = known.source(resolved.name)
    if before is None:
        return resolved
    if before.pin != resolved.pin:
        return replace(resolved, unknown=before.unknown)
    kept = before.transformed if _is_stored(before.transformed, store) else None
    return replace(before, declared=resolved.declared, status=resolved.status, transformed=kept)


def _is_stored(transformed: Transformed | None, store: BlobStore) -> bool:
    """Whether the bytes of a recorded result are at hand; if not, the transforms have to run again."""
    if transformed is None or transformed.packed is None:
        return True
    return transformed.packed.blob is not None and store.size(transformed.packed.blob) is not None


def _gate(made: LockedSource, config: Config, world: World, supplier: Supplier) -> None:
    folders = tuple(each.to for each in placements(config) if each.source == made.name)
    with Contents(world.store) as contents:
        if made.transformed is not None and made.transformed.packed is not None:
            contents.add_tree(made.transformed.packed)
        supplier.add_to(contents, (made,))
        refuse_dangerous(made, folders, allow=config.source(made.name).allow, contents=contents)
