"""The lock: what every source is, and where its files go, as one text file that people read and machines trust.

Bytes of `agent-sync.lock` go in and a checked `Lock` comes out; a `Lock` goes in and its one canonical text comes out;
two locks go in and a readable difference comes out. Nothing here touches the world.
"""

from __future__ import annotations

from agent_sync.lock.model import Lock, LockedSource, Orphan, Placement, Rendered, Transformed

__all__ = ["Lock", "LockedSource", "Orphan", "Placement", "Rendered", "Transformed"]
