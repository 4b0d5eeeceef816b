"""Describe a bundle, its parts, and its referrers. Nothing of it is verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from agent_sync.bundle.index import BundleIndex, Part, fetch_manifest, parse_index, parts_of, read_lockfile
from agent_sync.bundle.sign import unverified_claims
from agent_sync.errors import DigestMismatch
from agent_sync.lock import Lock
from agent_sync.lock.file import read_lock
from agent_sync.sources import describe
from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.concurrent import concurrently
from agent_sync_oci.transfer.referrers import referrers


@dataclass(frozen=True, slots=True)
class InspectedPart:
    """One part of a bundle.

    `blob` is the digest of its content in the lock, `unpacked_size` the content's bytes if the lock has them. `layer`
    is what is sent, `size` bytes of `media_type`. `pinned_at` is the pin of a source, such as a tag and commit.
    """

    title: str
    pinned_at: str | None
    blob: Digest
    unpacked_size: int | None
    manifest: Digest
    media_type: str
    layer: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that refers to the bundle: its type; of a Sigstore bundle also what it states and who claims to sign
    it.
    """

    manifest: Digest
    artifact_type: str
    states: str | None
    claims: str | None


@dataclass(frozen=True, slots=True)
class BundleDescription:
    """A bundle as it is found. `lock` is the digest of the lock file's bytes; sizes are in bytes."""

    name: str
    digest: Digest
    lock: Digest
    lock_size: int
    parts: tuple[InspectedPart, ...]
    attached: tuple[Referrer, ...]

    @property
    def size(self) -> int:
        """Return the bytes to send for the whole bundle; parts with the same content are sent once."""
        return self.lock_size + sum({part.layer: part.size for part in self.parts}.values())


def inspect(wanted: Digest | str, registry: Registry) -> BundleDescription:
    """Describe the bundle at that tag or digest.

    Raises:
        DigestMismatch: not a bundle.
        LockInvalid, LimitExceeded: its lock file cannot be read.
        RegistryError: the registry failed.
    """
    bundle = parse_index(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    content = read_lockfile(bundle, registry)
    lock = read_lock(content, file=f"lock file of the bundle in {registry.name}")
    return BundleDescription(
        name=bundle.name,
        digest=bundle.digest,
        lock=Digest.of(content),
        lock_size=len(content),
        parts=tuple(concurrently(partial(_part, lock=lock, registry=registry), parts_of(bundle, lock))),
        attached=_referrers(bundle, registry),
    )


def _part(part: Part, *, lock: Lock, registry: Registry) -> InspectedPart:
    manifest = fetch_manifest(part.listed, registry)
    if len(manifest.layers) != 1:
        check = f"{manifest.digest} is not an artifact with one layer"
        raise DigestMismatch(subject=part.item.what, check=check, remedy="push the bundle again with agent-sync")
    (layer,) = manifest.layers
    source = lock.source(part.item.title)
    return InspectedPart(
        title=part.item.title,
        pinned_at=None if source is None else describe(source).summary,
        blob=part.item.blob,
        unpacked_size=part.item.size,
        manifest=manifest.digest,
        media_type=layer.media_type,
        layer=layer.digest,
        size=layer.size,
    )


def _referrers(bundle: BundleIndex, registry: Registry) -> tuple[Referrer, ...]:
    found = referrers(registry, bundle.digest, artifact_type=None)
    return tuple(Referrer(each.digest, each.listed_type, *unverified_claims(each, registry)) for each in found)
