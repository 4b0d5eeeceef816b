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
from agent_sync.store.records import digests_in
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.concurrent import concurrently
from agent_sync_oci.transfer.copy import TransferResult, copy


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """Where it goes: the tag that is moved there at the end, a repository of the same registry that may have blobs, the
    trusted roots that travel along, and what the receiver has already: blobs by digest, or all that a lock mentions.
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
    """The bundle is there with its signatures, under the same digest; its tag moves when all of it is there.

    What the receiver is said to have does not travel. If it does not have it after all, nothing is switched.

    Raises: DigestMismatch (it is no bundle), LockInvalid, BytesUnavailable (parts of it are in neither place), and
        what the registries raise.
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
            check=f"{error.subject}: it is not there, and not in {target.name} either",
            remedy="a bundle without the parts that somebody has needs a receiver who has them: bring the whole one",
        ) from error
    concurrently(partial(_tag, source=source, target=target), parts)
    for root in receiver.roots:
        put_root(root, target)
    if receiver.tag is not None:
        target.put_manifest(bundle.index, tag=receiver.tag)
    return bundle, copied


def bundle_blobs(wanted: Digest | str, registry: Registry) -> frozenset[Digest]:
    """Every blob of the parts of the bundle that lies there: what somebody who has it need not be sent."""
    bundle = parse_index(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    return frozenset(_blobs(bundle.parts, registry))


def _tag(part: Part, *, source: Registry, target: Registry) -> None:
    """The part is found there by the lock alone, as where it was pushed. What somebody has put there first stays."""
    tag = source_tag(part.item.blob)
    try:
        target.manifest(tag)
    except NotFound:
        target.put_manifest(fetch_manifest(part.listed, source), tag=tag)


def _blobs_in_lock(parts: Iterable[Part], source: Registry, has_lock: bytes | None) -> frozenset[Digest]:
    """The blobs of those parts whose content a lock that the receiver has mentions."""
    if has_lock is None:
        return frozenset()
    has = digests_in(has_lock)
    return frozenset(_blobs((part.listed for part in parts if part.item.blob in has), source))


def _blobs(parts: Iterable[Descriptor], registry: Registry) -> Iterator[Digest]:
    for listed in parts:
        manifest = fetch_manifest(listed, registry)
        yield manifest.config.digest
        yield from (layer.digest for layer in manifest.layers)
