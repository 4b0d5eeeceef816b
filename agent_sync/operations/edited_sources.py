"""Local sources that are not what the lock says any more: an update has to come before anything else is done with
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.config import limits_of
from agent_sync.errors import AgentSyncError, FileFault, LimitExceeded, UnsafePath
from agent_sync.operations.inputs import Inputs
from agent_sync.resolve.local import changed, look, tree_of

if TYPE_CHECKING:
    from agent_sync.config.model import LocalSource
    from agent_sync.lock import Lock, LockedSource


def edited_sources(inputs: Inputs, lock: Lock) -> Iterator[tuple[str, AgentSyncError]]:
    """Each local source whose folder is there and is not as `lock` has it, by name: how it differs, or why an update
    would refuse it.

    A folder that is not there is served by the store; one that was handed over is not looked at. What was hashed
    before, and nothing has touched since, is not read again.
    """
    for source in () if inputs.config is None else inputs.config.sources:
        locked = lock.source(source.name)
        if source.type == "local" and locked is not None and source.name not in inputs.handed:
            error = _edited(source, locked, inputs)
            if error is not None:
                yield source.name, error


def _edited(source: LocalSource, locked: LockedSource, inputs: Inputs) -> AgentSyncError | None:
    try:
        seen = look(source, inputs.world, limits=limits_of(source.name, inputs.configured()))
        if seen is None:
            return None
        return changed(source.name, locked.tree, tree_of(seen, cancellation=inputs.world.cancellation))
    except (UnsafePath, LimitExceeded, FileFault) as error:
        return error
