"""A bundle from one place to another: byte for byte, with all that was attached to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, opened
from agent_sync.bundle.items import items_of
from agent_sync.bundle.lockfiles import read_lockfile
from agent_sync.bundle.media_types import source_tag
from agent_sync.bundle.trusted_roots import put_root, root_in
from agent_sync.lock.reading import read_lock
from agent_sync.store.roots import mentioned
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.copy import Copied, copy


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where it goes: the tag that is moved there at the end, a repository of the same registry that may have blobs, and
    what the receiver has already: blobs by digest, or everything that a lock mentions.
    """

    registry: Registry
    tag: str | None
    mount_from: str | None = None
    has_blobs: frozenset[Digest] = frozenset()
    has_lock: bytes | None = None


def copy_bundle(
    wanted: Digest | str, source: Registry, receiver: Receiver, *, check: Callable[[], object]
) -> tuple[OpenedIndex, Copied]:
    """The bundle is there with its signatures, under the same digest; its tag moves when all of it is there.

    What the receiver is said to have does not travel. If it does not have it after all, nothing is switched.

    Raises: ContentMismatch (it is no bundle), and what the registries raise.
    """
    bundle = opened(source.manifest(wanted), where=f"{source.name} {wanted}")
    content = read_lockfile(bundle, source)
    copied = copy(
        source,
        receiver.registry,
        bundle.index.digest,
        with_referrers=True,
        have=receiver.has_blobs | _known_parts(bundle, content, source, receiver.has_lock),
        mount_from=receiver.mount_from,
        check=check,
    )
    _tag_parts(bundle, content, source, receiver.registry)
    if (root := root_in(source)) is not None:
        put_root(root, receiver.registry)
    if receiver.tag is not None:
        receiver.registry.put_manifest(bundle.index, tag=receiver.tag)
    return bundle, copied


def blobs_of(wanted: Digest | str, registry: Registry) -> frozenset[Digest]:
    """Every blob of the bundle that lies there: what somebody who has it need not be sent."""
    bundle = opened(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    return frozenset(_blobs((digest for _, digest in bundle.parts), registry))


def _known_parts(bundle: OpenedIndex, content: bytes, source: Registry, has_lock: bytes | None) -> frozenset[Digest]:
    """The blobs of those parts whose content a lock that the receiver has mentions."""
    if has_lock is None:
        return frozenset()
    has, parts = mentioned(has_lock), dict(bundle.parts)
    known = (parts[item.title] for item in items_of(read_lock(content)) if item.blob in has and item.title in parts)
    return frozenset(_blobs(known, source))


def _blobs(manifests: Iterable[Digest], registry: Registry) -> Iterator[Digest]:
    for digest in manifests:
        manifest = registry.manifest(digest)
        if isinstance(manifest, Manifest):
            yield manifest.config.digest
            yield from (layer.digest for layer in manifest.layers)


def _tag_parts(bundle: OpenedIndex, content: bytes, source: Registry, target: Registry) -> None:
    """Each part can be found there by the lock alone, as where it was pushed."""
    parts = dict(bundle.parts)
    for item in items_of(read_lock(content)):
        if item.title in parts:
            target.put_manifest(source.manifest(parts[item.title]), tag=source_tag(item.blob))
