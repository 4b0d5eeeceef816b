"""Artifacts that were proved to carry a blob: what is pushed again need not be read again."""

from __future__ import annotations

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import LAYER_ZSTD
from agent_sync.bundle.packing import Check
from agent_sync.bundle.unpacking import prove
from agent_sync.ports import BlobStore
from agent_sync.store.records import CARRIERS
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.registry.protocol import Registry


def remember_carrier(manifest: Manifest, item: Item, store: BlobStore) -> None:
    """This machine has seen with its own eyes that the artifact carries the item's blob."""
    if not _is_known(manifest, item, store):
        store.record(CARRIERS, _key(manifest, item), b"")


def carries(
    manifest: Manifest, item: Item, registry: Registry, store: BlobStore, *, max_bytes: int, check: Check
) -> bool:
    """Whether the artifact, which has one layer, carries the item's blob. What is compressed is read, unless that was
    done here before.

    Raises: ContentMismatch, LimitExceeded (it does not), and what reading from the registry raises.
    """
    (layer,) = manifest.layers
    if layer.media_type != LAYER_ZSTD:
        return layer.digest == item.blob
    if not _is_known(manifest, item, store):
        prove(manifest, item, registry, max_bytes=max_bytes, check=check)
        remember_carrier(manifest, item, store)
    return True


def _is_known(manifest: Manifest, item: Item, store: BlobStore) -> bool:
    return bool(store.records(CARRIERS, _key(manifest, item)))


def _key(manifest: Manifest, item: Item) -> str:
    return f"{item.blob.hex}.{manifest.digest.hex}"
