"""Copy a bundle between registries, layouts and archives: byte for byte, with all of its referrers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from agent_sync.bundle.index import BundleIndex, Part, fetch_manifest, parse_index, parts_of, read_lockfile
from agent_sync.bundle.names import source_tag
from agent_sync.bundle.pack import Check
from agent_sync.bundle.sign import put_root
from agent_sync.errors import BytesUnavailable, NotFound
from agent_sync.lock.file import read_lock
from agent_sync.store.directory import digests_in
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.concurrent import concurrently
from agent_sync_oci.transfer.copy import TransferResult, copy


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """Where a bundle is copied to, and what the receiver has already.

    `tag` is moved at the end. Blobs may be mounted from the repository `mount_from` of the same registry. `roots` are
    trusted roots that are copied along. Blobs in `has_blobs`, and those that the lock `has_lock` mentions, are left
    out.
    """

    registry: Registry
    tag: str | None
    mount_from: str | None = None
    roots: tuple[bytes, ...] = ()
    has_blobs: frozenset[Digest] = frozenset()
    has_lock: bytes | None = None


def copy_bundle(
    wanted: Digest | str, source: Registry, receiver: CopyTarget, *, check: Check
) -> tuple[BundleIndex, TransferResult]:
    """Copy the bundle with its signatures, under the same digest; its tag moves when all of it is there.

    Blobs that the receiver is said to have are not copied. If one is missing after all, no tag moves.

    Raises:
        DigestMismatch: not a bundle.
        LockInvalid: the lock in the bundle cannot be read.
        BytesUnavailable: parts of the bundle are in neither registry.
        RegistryError: a registry failed.
    """
    bundle = parse_index(source.manifest(wanted), where=f"{source.name} {wanted}")
    parts = parts_of(bundle, read_lock(read_lockfile(bundle, source)))
    target = receiver.registry
    try:
        copied = copy(
            source,
            target,
            bundle.digest,
            with_referrers=True,
            have=receiver.has_blobs | _blobs_in_lock(parts, source, receiver.has_lock),
            mount_from=receiver.mount_from,
            check=check,
        )
    except NotFound as error:
        raise BytesUnavailable(
            subject=bundle.what,
            check=f"{error.subject} is missing, in {target.name} too",
            remedy="copy the whole bundle: this one leaves out what its receiver already has",
        ) from error
    # Only now: a tag must not be found before all that it leads to.
    concurrently(partial(_tag, source=source, target=target), parts)
    for root in receiver.roots:
        put_root(root, target)
    # Last of all, so that whoever pulls by tag meanwhile gets the old bundle or the whole new one.
    if receiver.tag is not None:
        target.put_manifest(bundle.index, tag=receiver.tag)
    return bundle, copied


def bundle_blobs(wanted: Digest | str, registry: Registry) -> frozenset[Digest]:
    """Return the blobs of the bundle's parts: what a receiver who has the bundle need not be sent."""
    bundle = parse_index(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    return frozenset(_blobs(bundle.parts, registry))


def _tag(part: Part, *, source: Registry, target: Registry) -> None:
    """Tag the part so that the lock alone finds it. A tag that is there already stays."""
    tag = source_tag(part.item.blob)
    try:
        # What was pushed there first stays: a copy must not decide what the registry serves as a cache.
        target.manifest(tag)
    except NotFound:
        target.put_manifest(fetch_manifest(part.listed, source), tag=tag)


def _blobs_in_lock(parts: Iterable[Part], source: Registry, has_lock: bytes | None) -> frozenset[Digest]:
    """Return the blobs of those parts that a lock of the receiver mentions."""
    if has_lock is None:
        return frozenset()
    has = digests_in(has_lock)
    return frozenset(_blobs((part.listed for part in parts if part.item.blob in has), source))


def _blobs(parts: Iterable[Descriptor], registry: Registry) -> Iterator[Digest]:
    for listed in parts:
        manifest = fetch_manifest(listed, registry)
        yield manifest.config.digest
        yield from (layer.digest for layer in manifest.layers)
