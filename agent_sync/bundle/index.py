"""The index of a bundle: an OCI index that lists the lock file and one artifact for each blob that the lock needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.names import LOCK, LOCKFILE, NAME, TITLE, is_name
from agent_sync.errors import DigestMismatch, LimitExceeded
from agent_sync.lock import Lock
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync_oci.digest import Digest
from agent_sync_oci.image_spec import IMAGE_MANIFEST
from agent_sync_oci.manifest import EMPTY, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.text import quoted

# -- The lock bundle: one index that names the lockfile and every part of it.

_TITLE_OF_LOCK = "agent-sync.lock"


def lockfile_manifest(lock: bytes) -> Manifest:
    """The artifact whose config is the lockfile, byte for byte."""
    config = Descriptor(LOCKFILE, Digest.of(lock), len(lock))
    return Manifest.make(artifact_type=LOCKFILE, config=config, layers=(EMPTY,))


def lock_index(name: str, lockfile: Manifest, parts: Sequence[tuple[Item, Manifest]]) -> Index:
    """The lock bundle `name`: the lockfile first, then its parts in the lock's order, each under its title."""
    children = (_titled(_TITLE_OF_LOCK, lockfile), *(_titled(item.title, manifest) for item, manifest in parts))
    return Index.make(artifact_type=LOCK, manifests=children, annotations={NAME: name})


@dataclass(frozen=True, slots=True)
class BundleIndex:
    """What a lock bundle names: itself, its lockfile, and its parts. Nothing of it is proved by this."""

    index: Index
    name: str
    lockfile: Descriptor
    parts: tuple[Descriptor, ...]

    @property
    def digest(self) -> Digest:
        """What names exactly this bundle."""
        return self.index.digest

    @property
    def what(self) -> str:
        """For messages."""
        return f"bundle {self.name} {self.index.digest}"

    @property
    def manifests(self) -> frozenset[Digest]:
        """The digest of every manifest that it consists of, its own among them."""
        return frozenset({self.index.digest, self.lockfile.digest, *(each.digest for each in self.parts)})


def parse_index(found: Manifest | Index, *, where: str) -> BundleIndex:
    """The lock bundle that was found at `where`. Raises: DigestMismatch if it is something else."""
    if not isinstance(found, Index) or found.artifact_type != LOCK:
        raise _not_a_bundle(where, f"what lies there is no lock bundle ({quoted(str(found.artifact_type))})")
    name = found.annotations.get(NAME, "")
    if not is_name(name) or not found.manifests:
        raise _not_a_bundle(where, "the bundle has no name that can be one, or names no lockfile")
    if any(each.media_type != IMAGE_MANIFEST for each in found.manifests):
        raise _not_a_bundle(where, "the bundle names something that is no artifact")
    first, *others = found.manifests
    return BundleIndex(found, name, first, tuple(others))


def title_of(listed: Descriptor) -> str:
    """How the index calls a part."""
    return listed.annotations.get(TITLE, "")


def fetch_manifest(listed: Descriptor, registry: Registry) -> Manifest:
    """The artifact that an index lists. Raises: DigestMismatch if the index lies about it, and what reading raises."""
    found = registry.manifest(listed.digest)
    if not isinstance(found, Manifest) or len(found.content) != listed.size:
        raise _not_a_bundle(
            registry.name, f"manifest {listed.digest} has not the type or the length that its bundle says"
        )
    return found


def _titled(title: str, manifest: Manifest) -> Descriptor:
    whole = manifest.descriptor
    return Descriptor(whole.media_type, whole.digest, whole.size, annotations={TITLE: title})


def _not_a_bundle(where: str, check: str) -> DigestMismatch:
    return DigestMismatch(
        subject=where, check=check, remedy="name a place that `agent-sync push` has written, with its tag or digest"
    )


# -- The lockfile in a bundle.


def lockfile_descriptor(bundle: BundleIndex, registry: Registry) -> Descriptor:
    """Where the lockfile's bytes are, and how many. Raises: DigestMismatch, LimitExceeded (no lock is so long)."""
    manifest = fetch_manifest(bundle.lockfile, registry)
    if manifest.config.media_type != LOCKFILE:
        raise _not_a_lockfile(bundle, f"{manifest.digest} is not the manifest of a lockfile")
    if manifest.config.size > MAX_LOCK_BYTES:
        raise LimitExceeded(
            subject=_lockfile_of(bundle),
            check=f"it has {manifest.config.size} bytes, and at most {MAX_LOCK_BYTES} are read",
            remedy="do not use this place",
        )
    return manifest.config


def read_lockfile(bundle: BundleIndex, registry: Registry) -> bytes:
    """The lockfile, byte for byte. Raises: what `lockfile_descriptor` raises."""
    content = bytearray()
    registry.get_blob(lockfile_descriptor(bundle, registry), content.extend)
    if lockfile_manifest(bytes(content)).digest != bundle.lockfile.digest:
        raise _not_a_lockfile(bundle, "its manifest says more than that it is one")
    return bytes(content)


def _lockfile_of(bundle: BundleIndex) -> str:
    return f"the lockfile of {bundle.what}"


def _not_a_lockfile(bundle: BundleIndex, check: str) -> DigestMismatch:
    return DigestMismatch(subject=_lockfile_of(bundle), check=check, remedy="push the bundle again with agent-sync")


# -- The parts of a bundle: all that its lock needs, each with the artifact that the index names for it.


@dataclass(frozen=True, slots=True)
class Part:
    """What the lock needs, and where the index says that it is."""

    item: Item
    listed: Descriptor


def parts_of(bundle: BundleIndex, lock: Lock) -> tuple[Part, ...]:
    """The parts in the order of the lock that lies in the bundle: the index names exactly these.

    Raises: DigestMismatch, LockInvalid (a lock that does not say what it needs).
    """
    items = items_of(lock)
    if [title_of(each) for each in bundle.parts] != [item.title for item in items]:
        raise DigestMismatch(
            subject=bundle.what,
            check="its index names other parts than the lock in it needs",
            remedy="push the bundle again with agent-sync",
        )
    return tuple(map(Part, items, bundle.parts))
