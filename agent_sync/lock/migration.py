"""Locks of earlier versions -> the current one (spec §14.3)."""

from __future__ import annotations

from agent_sync.lock.model import Lock
from agent_sync.lock.reading import read_lock
from agent_sync.lock.writing import lock_bytes


def migrated(content: bytes, *, file: str) -> bytes:
    """The lock in the current version's canonical spelling. Version 1 is the first: only the spelling can change.

    Raises: LockInvalid for a version that no step leads from.
    """
    lock: Lock = read_lock(content, file=file)
    return lock_bytes(lock)
