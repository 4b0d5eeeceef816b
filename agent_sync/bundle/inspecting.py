"""What lies in a place: a bundle, its parts, and what was attached to it. Nothing of it is proved by looking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from agent_sync.bundle.index import OpenedIndex, listed_manifest, opened
from agent_sync.bundle.lockfiles import read_lockfile
from agent_sync.bundle.parts import Part, parts_of
from agent_sync.bundle.signatures import claims_of
from agent_sync.errors import ContentMismatch
from agent_sync.lock import Lock
from agent_sync.lock.difference import pinned_at
from agent_sync.lock.reading import read_lock
from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.referrers import referrers
from agent_sync_oci.transfer.side_by_side import side_by_side


@dataclass(frozen=True, slots=True)
class InspectedPart:
    """One part. `blob` is what the lock calls its content, which has `unpacked_size` bytes if the lock says so; `layer`
    is what travels, `size` bytes of `media_type`. `pinned_at` is what a source is locked to, such as a tag and commit.
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
class Attached:
    """Something that was attached to the bundle: its type, for a Sigstore bundle what it states, and who claims it."""

    manifest: Digest
    artifact_type: str
    states: str | None
    claims: str | None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A bundle as it lies there. `lock` is the digest of the lockfile's bytes; sizes are in bytes."""

    name: str
    digest: Digest
    lock: Digest
    lock_size: int
    parts: tuple[InspectedPart, ...]
    attached: tuple[Attached, ...]

    @property
    def size(self) -> int:
        """What all of it takes on its way; parts with the same content travel once."""
        return self.lock_size + sum({part.layer: part.size for part in self.parts}.values())


def inspect(wanted: Digest | str, registry: Registry) -> Inspected:
    """The bundle at that tag or digest.

    Raises: ContentMismatch (it is none), LockInvalid, LimitExceeded, and what the registry raises.
    """
    bundle = opened(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    content = read_lockfile(bundle, registry)
    lock = read_lock(content, file=f"the lockfile of the bundle in {registry.name}")
    return Inspected(
        name=bundle.name,
        digest=bundle.digest,
        lock=Digest.of(content),
        lock_size=len(content),
        parts=tuple(side_by_side(partial(_part, lock=lock, registry=registry), parts_of(bundle, lock))),
        attached=_attached(bundle, registry),
    )


def _part(part: Part, *, lock: Lock, registry: Registry) -> InspectedPart:
    manifest = listed_manifest(part.listed, registry)
    if len(manifest.layers) != 1:
        check = f"{manifest.digest} is no artifact with one layer"
        raise ContentMismatch(subject=part.item.what, check=check, remedy="push the bundle again with agent-sync")
    (layer,) = manifest.layers
    source = lock.source(part.item.title)
    return InspectedPart(
        title=part.item.title,
        pinned_at=None if source is None else pinned_at(source),
        blob=part.item.blob,
        unpacked_size=part.item.size,
        manifest=manifest.digest,
        media_type=layer.media_type,
        layer=layer.digest,
        size=layer.size,
    )


def _attached(bundle: OpenedIndex, registry: Registry) -> tuple[Attached, ...]:
    found = referrers(registry, bundle.digest, artifact_type=None)
    return tuple(Attached(each.digest, each.listed_type, *claims_of(each, registry)) for each in found)
