"""A lock and its blobs into a place: parts, index, signatures, and only then the tag."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.carriers import carries, remember_carrier
from agent_sync.bundle.index import lock_index, lockfile_manifest
from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.media_types import source_tag
from agent_sync.bundle.packing import Compression, packed
from agent_sync.errors import ContentMismatch, LimitExceeded
from agent_sync.lock import Lock
from agent_sync.resolve.side_by_side import side_by_side
from agent_sync_oci.errors import ContentLies, NotFound, TooMuch
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Index, Manifest
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be pushed: the lock, as bytes and as read from them, under this bundle name. Sizes in bytes."""

    name: str
    content: bytes
    lock: Lock
    max_bytes: int
    compression: Compression = "zstd"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The index that stands for the bundle, and the titles of the parts that were sent, or were there already."""

    index: Index
    sent: tuple[str, ...]
    present: tuple[str, ...]
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """An item's artifact; `sent_bytes` is None if it was there."""

    item: Item
    manifest: Manifest
    sent_bytes: int | None = None


def push_bundle(
    outgoing: Outgoing, registry: Registry, world: World, *, tag: str | None, attach: Callable[[Index], None]
) -> Pushed:
    """The bundle is there, whole, before anybody can find it by its tag.

    1 each part, unless its artifact is there; 2 the lockfile; 3 the index, by its digest; 4 `attach` adds signatures;
    5 the tag. What fails leaves parts that the next push finds, and the tag where it was.

    Raises: BlobCorrupt, BytesUnavailable (the store), LockInvalid, and what the registry raises.
    """
    parts = _push_parts(items_of(outgoing.lock), outgoing, registry, world)
    lockfile = lockfile_manifest(outgoing.content)
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(lockfile.config, lambda: io.BytesIO(outgoing.content))
    registry.put_manifest(lockfile)
    index = lock_index(outgoing.name, lockfile, [(part.item, part.manifest) for part in parts])
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


def _push_parts(items: tuple[Item, ...], outgoing: Outgoing, registry: Registry, world: World) -> list[_Part]:
    """Side by side. Items with the same bytes are one artifact, which counts as sent once."""
    first_of = {item.blob: item for item in reversed(items)}
    jobs = [partial(_push_part, item, outgoing, registry, world) for item in first_of.values()]
    done = side_by_side(jobs, cancellation=world.cancellation)
    return [
        done[item.blob] if item is first_of[item.blob] else replace(done[item.blob], item=item, sent_bytes=None)
        for item in items
    ]


def _push_part(item: Item, outgoing: Outgoing, registry: Registry, world: World) -> dict[str, _Part]:
    there = _there(item, outgoing, registry, world)
    if there is not None:
        return {item.blob: _Part(item, there)}
    with packed(item, world.store, compression=outgoing.compression) as artifact:
        for body in artifact.bodies:
            registry.put_blob(body.descriptor, body.open)
        registry.put_manifest(artifact.manifest, tag=source_tag(item.blob))
        remember_carrier(artifact.manifest, item, world.store)
        sent_bytes = sum(body.descriptor.size for body in artifact.bodies)
        return {item.blob: _Part(item, artifact.manifest, sent_bytes)}


def _there(item: Item, outgoing: Outgoing, registry: Registry, world: World) -> Manifest | None:
    """The artifact that somebody has pushed before, if it is what its tag says; a wrong one is pushed anew."""
    try:
        found = registry.manifest(source_tag(item.blob))
        if not isinstance(found, Manifest) or not _is_whole(found, registry):
            return None
        carries(found, item, registry, world.store, max_bytes=outgoing.max_bytes)
    except (NotFound, ContentLies, TooMuch, ContentMismatch, LimitExceeded):
        return None
    return found


def _is_whole(manifest: Manifest, registry: Registry) -> bool:
    return all(registry.blob_size(each.digest) == each.size for each in (manifest.config, *manifest.layers))
