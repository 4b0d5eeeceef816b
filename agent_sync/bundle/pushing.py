"""A lock and its blobs into a place: parts, index, signatures, and only then the tag."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from agent_sync.bundle.carriers import carries, remember_carrier
from agent_sync.bundle.counting import Counted
from agent_sync.bundle.index import lock_index, lockfile_manifest
from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.media_types import source_tag
from agent_sync.bundle.opening import at_once
from agent_sync.bundle.packing import Body, Compression, is_artifact_of, packed
from agent_sync.errors import ContentMismatch, LimitExceeded
from agent_sync.lock import Lock
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
    world.cancellation.check()
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
    counted = Counted("sending", len(first_of), world)
    jobs = [partial(_push_part, item, outgoing, registry, world, counted) for item in first_of.values()]
    done = at_once(jobs, registry, world)
    return [
        done[item.blob] if item is first_of[item.blob] else replace(done[item.blob], item=item, sent_bytes=None)
        for item in items
    ]


def _push_part(item: Item, outgoing: Outgoing, registry: Registry, world: World, counted: Counted) -> dict[str, _Part]:
    there = _there(item, outgoing, registry, world)
    part = _Part(item, there) if there is not None else _sent(item, outgoing, registry, world)
    counted.one_more()
    return {item.blob: part}


def _sent(item: Item, outgoing: Outgoing, registry: Registry, world: World) -> _Part:
    check = world.cancellation.check
    with packed(item, world.store, compression=outgoing.compression, check=check) as artifact:
        sent_bytes = 0
        for body in artifact.bodies:
            check()
            sent_bytes += _put(body, registry)
        registry.put_manifest(artifact.manifest, tag=source_tag(item.blob))
        remember_carrier(artifact.manifest, item, world.store)
        return _Part(item, artifact.manifest, sent_bytes)


def _put(body: Body, registry: Registry) -> int:
    """How many bytes had to be sent."""
    opened = threading.Event()

    def open_noted() -> BinaryIO:
        opened.set()
        return body.open()

    registry.put_blob(body.descriptor, open_noted)
    return body.descriptor.size if opened.is_set() else 0


def _there(item: Item, outgoing: Outgoing, registry: Registry, world: World) -> Manifest | None:
    """The artifact that somebody has pushed before, if it is what its tag says; a wrong one is pushed anew."""
    check, max_bytes = world.cancellation.check, outgoing.max_bytes
    with suppress(NotFound, ContentLies, TooMuch, ContentMismatch, LimitExceeded):
        found = registry.manifest(source_tag(item.blob))
        if (
            isinstance(found, Manifest)
            and is_artifact_of(found, item, world.store, compression=outgoing.compression)
            and all(registry.blob_size(each.digest) == each.size for each in (found.config, *found.layers))
            and carries(found, item, registry, world.store, max_bytes=max_bytes, check=check)
        ):
            return found
    return None
