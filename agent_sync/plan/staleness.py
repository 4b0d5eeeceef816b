"""Whether the lock was made for these declarations, part by part (docs/reference/lockfile.md, "Staleness")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agent_sync.errors import LockIsStale, LockMissing
from agent_sync.lock import Lock
from agent_sync.resolve.declaration import differing_fields

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.config.model import Source


def refuse_stale(config: Config, lock: Lock, *, inherited: frozenset[str] = frozenset()) -> None:
    """Nothing, if every declared source is locked as it is declared now. `inherited` names the sources of lower layers.

    Raises: LockMissing for a source that the lock does not have, LockIsStale for one that is declared otherwise.
    """
    for source in config.sources:
        fault = stale_because(source, lock)
        if fault is None:
            continue
        update = "agent-sync update --inherited" if source.name in inherited else f"agent-sync update {source.name}"
        error = LockMissing if lock.source(source.name) is None else LockIsStale
        raise error(subject=f"source {source.name}", check=fault, remedy=f"lock it: {update}")


def stale_because(source: Source, lock: Lock) -> str | None:
    """Why the lock is no good for this source; None if it is."""
    locked = lock.source(source.name)
    if locked is None:
        return "the lock does not have it"
    fields = differing_fields(source, locked)
    return f"its {_listed(fields)} changed since it was locked" if fields else None


def _listed(fields: Iterable[str]) -> str:
    return " and ".join(f"`{field}`" for field in fields)
