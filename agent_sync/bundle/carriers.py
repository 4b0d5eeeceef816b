"""Artifacts that were proved to carry a blob: what is pushed again need not be read again."""

from __future__ import annotations

from agent_sync.bundle.items import Item
from agent_sync.bundle.unpacking import prove
from agent_sync.ports import BlobStore
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.registry.protocol import Registry

_CARRIERS = "carriers"


def remember_carrier(manifest: Manifest, item: Item, store: BlobStore) -> None:
    """This machine has seen with its own eyes that the artifact carries the item's blob."""
    if not _is_known(manifest, item, store):
        store.record(_CARRIERS, _key(manifest, item), b"")


def carries(manifest: Manifest, item: Item, registry: Registry, store: BlobStore, *, max_bytes: int) -> None:
    """Nothing, if the artifact carries the item's blob: known of old, or all of it read once.

    Raises: ContentMismatch, LimitExceeded, and what reading from the registry raises.
    """
    if _is_known(manifest, item, store):
        return
    prove(manifest, item, registry, max_bytes=max_bytes)
    remember_carrier(manifest, item, store)


def _is_known(manifest: Manifest, item: Item, store: BlobStore) -> bool:
    return bool(store.records(_CARRIERS, _key(manifest, item)))


def _key(manifest: Manifest, item: Item) -> str:
    return f"{item.blob.hex}.{manifest.digest.hex}"
