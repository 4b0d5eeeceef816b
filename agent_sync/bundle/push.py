"""Push a lock and its blobs: parts, index, signatures, and only then the tag."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from agent_sync.bundle.index import lock_index, lockfile_manifest
from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.names import LAYER_ZSTD, source_tag
from agent_sync.bundle.pack import Body, Check, Compression, is_artifact_of, packed_artifact, verify_artifact
from agent_sync.bundle.registry import ProgressCounter, run_jobs
from agent_sync.errors import DigestMismatch, LimitExceeded, NotFound
from agent_sync.lock import Lock
from agent_sync.ports import RecordStore
from agent_sync.store.directory import CACHED_ARTIFACTS
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Index, Manifest
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


# -- cached artifacts ------------------------------------------------------------------------------------------------


def record_cached_artifact(manifest: Manifest, item: Item, records: RecordStore) -> None:
    """Record that the artifact was seen to hold the item's blob."""
    if not _is_recorded(manifest, item, records):
        records.record(CACHED_ARTIFACTS, _key(manifest, item), b"")


def is_cached_artifact(
    manifest: Manifest, item: Item, registry: Registry, records: RecordStore, *, max_bytes: int, check: Check
) -> bool:
    """Return whether the artifact, which has one layer, holds the item's blob. A compressed layer is read unless it is
    recorded.

    Raises:
        DigestMismatch, LimitExceeded: it does not hold the blob.
        RegistryError: the registry failed.
    """
    (layer,) = manifest.layers
    if layer.media_type != LAYER_ZSTD:
        # Uncompressed, the layer is the blob itself, and the registry protocol verifies its digest.
        return layer.digest == item.blob
    if not _is_recorded(manifest, item, records):
        verify_artifact(manifest, item, registry, max_bytes=max_bytes, check=check)
        record_cached_artifact(manifest, item, records)
    return True


def _is_recorded(manifest: Manifest, item: Item, records: RecordStore) -> bool:
    return bool(records.records(CACHED_ARTIFACTS, _key(manifest, item)))


def _key(manifest: Manifest, item: Item) -> str:
    return f"{item.blob.hex}.{manifest.digest.hex}"


# -- push ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutgoingBundle:
    """What is to be pushed: the lock, as bytes and parsed, under this bundle name. Sizes are in bytes."""

    name: str
    content: bytes
    lock: Lock
    max_bytes: int
    compression: Compression = "zstd"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The index of the bundle, and the titles of the parts that were sent or were present already."""

    index: Index
    sent: tuple[str, ...]
    present: tuple[str, ...]
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """The artifact of an item; `sent_bytes` is None if it was present."""

    item: Item
    manifest: Manifest
    sent_bytes: int | None = None


def push_bundle(
    outgoing: OutgoingBundle, registry: Registry, world: World, *, tag: str | None, attach: Callable[[Index], None]
) -> Pushed:
    """Push the bundle. It is complete before anybody can find it by its tag.

    1. Each part, unless its artifact is present. 2. The lock file. 3. The index, by its digest. 4. `attach` adds
    signatures. 5. The tag. A push that fails leaves parts that the next one finds, and the tag where it was.

    Raises:
        BlobCorrupt, BytesUnavailable: a blob in the cache is damaged or missing.
        LockInvalid: the lock names no blob for a source.
        RegistryError: the registry failed.
    """
    parts = _push_parts(items_of(outgoing.lock), outgoing, registry, world)
    world.cancellation.check()
    lockfile = lockfile_manifest(outgoing.content)
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(lockfile.config, lambda: io.BytesIO(outgoing.content))
    registry.put_manifest(lockfile)
    index = lock_index(outgoing.name, lockfile, [(part.item, part.manifest) for part in parts])
    # By digest first: signatures refer to a manifest, which some registries want to have before them.
    registry.put_manifest(index)
    attach(index)
    if tag is not None:
        registry.put_manifest(index, tag=tag)
    return Pushed(
        index,
        sent=tuple(part.item.title for part in parts if part.sent_bytes is not None),
        present=tuple(part.item.title for part in parts if part.sent_bytes is None),
        sent_bytes=sum(part.sent_bytes or 0 for part in parts),
    )


def _push_parts(items: tuple[Item, ...], outgoing: OutgoingBundle, registry: Registry, world: World) -> list[_Part]:
    """Push the parts concurrently. Items with the same bytes are one artifact, which counts as sent once."""
    # Reversed, so that the first item of several with the same bytes is the one that remains.
    first_of = {item.blob: item for item in reversed(items)}
    counted = ProgressCounter("sending", len(first_of), world)
    jobs = [partial(_push_part, item, outgoing, registry, world, counted) for item in first_of.values()]
    done = run_jobs(jobs, registry, world)
    return [
        done[item.blob] if item is first_of[item.blob] else replace(done[item.blob], item=item, sent_bytes=None)
        for item in items
    ]


def _push_part(
    item: Item, outgoing: OutgoingBundle, registry: Registry, world: World, counted: ProgressCounter
) -> dict[str, _Part]:
    there = _existing(item, outgoing, registry, world)
    part = _Part(item, there) if there is not None else _send(item, outgoing, registry, world)
    counted.advance()
    return {item.blob: part}


def _send(item: Item, outgoing: OutgoingBundle, registry: Registry, world: World) -> _Part:
    check = world.cancellation.check
    with packed_artifact(item, world.store, world.scratch, compression=outgoing.compression, check=check) as artifact:
        sent_bytes = 0
        for body in artifact.bodies:
            check()
            sent_bytes += _put(body, registry)
        registry.put_manifest(artifact.manifest, tag=source_tag(item.blob))
        record_cached_artifact(artifact.manifest, item, world.records)
        return _Part(item, artifact.manifest, sent_bytes)


def _put(body: Body, registry: Registry) -> int:
    """Put the blob, and return how many bytes had to be sent."""
    opened = threading.Event()

    def open_noted() -> BinaryIO:
        opened.set()
        return body.open()

    # A registry opens the body only if it needs the bytes.
    registry.put_blob(body.descriptor, open_noted)
    return body.descriptor.size if opened.is_set() else 0


def _existing(item: Item, outgoing: OutgoingBundle, registry: Registry, world: World) -> Manifest | None:
    """Return the artifact that was pushed before, if it is what its tag says; a wrong one is pushed again."""
    check, max_bytes = world.cancellation.check, outgoing.max_bytes
    # Whoever may push could have put anything under that tag: none of it may keep the right artifact from being sent.
    with suppress(NotFound, DigestMismatch, LimitExceeded):
        found = registry.manifest(source_tag(item.blob))
        if (
            isinstance(found, Manifest)
            and is_artifact_of(found, item, world.store, compression=outgoing.compression)
            and all(registry.blob_size(each.digest) == each.size for each in (found.config, *found.layers))
            and is_cached_artifact(found, item, registry, world.records, max_bytes=max_bytes, check=check)
        ):
            return found
    return None
