"""The parts of a bundle: all that its lock needs, each with the artifact that the index names for it."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, title_of
from agent_sync.bundle.items import Item, items_of
from agent_sync.errors import ContentMismatch
from agent_sync.lock import Lock
from agent_sync_oci.manifest import Descriptor


@dataclass(frozen=True, slots=True)
class Part:
    """What the lock needs, and where the index says that it is."""

    item: Item
    listed: Descriptor


def parts_of(bundle: OpenedIndex, lock: Lock) -> tuple[Part, ...]:
    """The parts in the order of the lock that lies in the bundle: the index names exactly these.

    Raises: ContentMismatch, LockInvalid (a lock that does not say what it needs).
    """
    items = items_of(lock)
    if [title_of(each) for each in bundle.parts] != [item.title for item in items]:
        raise ContentMismatch(
            subject=bundle.what,
            check="its index names other parts than the lock in it needs",
            remedy="push the bundle again with agent-sync",
        )
    return tuple(map(Part, items, bundle.parts))
