"""The lock: what every source is, and where its files go, as one text file that people read and machines trust.

Bytes of `agent-sync.lock` go in and a checked `Lock` comes out; a `Lock` goes in and its one canonical text comes out;
two locks go in and a readable difference comes out. Nothing here touches the world.
"""

from __future__ import annotations

from agent_sync.lock.model import (
    Declared,
    GitPin,
    LocalPin,
    Lock,
    LockedSource,
    OciPin,
    Orphan,
    PackedTree,
    Placement,
    Rendered,
    Transformed,
    UrlPin,
)

__all__ = [
    "Declared",
    "GitPin",
    "LocalPin",
    "Lock",
    "LockedSource",
    "OciPin",
    "Orphan",
    "PackedTree",
    "Placement",
    "Rendered",
    "Transformed",
    "UrlPin",
]
