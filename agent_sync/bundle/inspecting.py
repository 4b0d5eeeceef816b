"""What lies in a place: a bundle, its parts, and what was attached to it. Nothing of it is proved by looking."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.bundle.index import OpenedIndex, opened
from agent_sync.bundle.lockfiles import lockfile_in
from agent_sync.bundle.signatures import claims_of
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.referrers import referrers


@dataclass(frozen=True, slots=True)
class InspectedPart:
    """One part: its artifact, how its content travels, and how many bytes of that travel."""

    title: str
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
        """What all of it takes on its way."""
        return self.lock_size + sum(part.size for part in self.parts)


def inspect(wanted: Digest | str, registry: Registry) -> Inspected:
    """The bundle at that tag or digest. Raises: ContentMismatch (it is none), and what the registry raises."""
    bundle = opened(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    config = lockfile_in(bundle, registry)
    return Inspected(
        name=bundle.name,
        digest=bundle.index.digest,
        lock=config.digest,
        lock_size=config.size,
        parts=tuple(_part(title, digest, registry) for title, digest in bundle.parts),
        attached=_attached(bundle, registry),
    )


def _part(title: str, digest: Digest, registry: Registry) -> InspectedPart:
    manifest = registry.manifest(digest)
    if not isinstance(manifest, Manifest) or len(manifest.layers) != 1:
        raise ContentLies(subject=f"part {title} in {registry.name}", check="it is no artifact with one layer")
    layer = manifest.layers[0]
    return InspectedPart(title, digest, layer.media_type, layer.digest, layer.size)


def _attached(bundle: OpenedIndex, registry: Registry) -> tuple[Attached, ...]:
    found = referrers(registry, bundle.index.digest, artifact_type=None)
    return tuple(Attached(each.digest, each.listed_type, *claims_of(each, registry)) for each in found)
