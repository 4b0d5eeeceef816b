"""The index of a bundle: an OCI index that lists the lock file and one artifact for each blob that the lock needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.names import LOCK, LOCKFILE, NAME, TITLE, given_name, is_name, tag_or_digest
from agent_sync.errors import DigestMismatch, LimitExceeded, NotFound, UsageError
from agent_sync.lock import Lock
from agent_sync.lock.file import MAX_LOCK_BYTES
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, IMAGE_MANIFEST, Descriptor, Index, Manifest
from agent_sync_oci.reference import Reference
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.text import quoted

# -- index -----------------------------------------------------------------------------------------------------------

_TITLE_OF_LOCK = "agent-sync.lock"


def lockfile_manifest(lock: bytes) -> Manifest:
    """Return the artifact whose config is the lock file, byte for byte."""
    config = Descriptor(LOCKFILE, Digest.of(lock), len(lock))
    return Manifest.make(artifact_type=LOCKFILE, config=config, layers=(EMPTY,))


def lock_index(name: str, lockfile: Manifest, parts: Sequence[tuple[Item, Manifest]]) -> Index:
    """Return the index of the bundle `name`: the lock file first, then its parts in the lock's order, each under its
    title.
    """
    children = (_titled(_TITLE_OF_LOCK, lockfile), *(_titled(item.title, manifest) for item, manifest in parts))
    return Index.make(artifact_type=LOCK, manifests=children, annotations={NAME: name})


@dataclass(frozen=True, slots=True)
class BundleIndex:
    """The index of a bundle, its lock file, and its parts. Nothing of them is verified yet."""

    index: Index
    name: str
    lockfile: Descriptor
    parts: tuple[Descriptor, ...]

    @property
    def digest(self) -> Digest:
        """Return the digest that names exactly this bundle."""
        return self.index.digest

    @property
    def what(self) -> str:
        """Return the bundle's name in messages."""
        return f"bundle {self.name} {self.index.digest}"

    @property
    def manifests(self) -> frozenset[Digest]:
        """Return the digests of all manifests of the bundle, its own among them."""
        return frozenset({self.index.digest, self.lockfile.digest, *(each.digest for each in self.parts)})


def parse_index(found: Manifest | Index, *, where: str) -> BundleIndex:
    """Parse the index that was found at `where`.

    Raises:
        DigestMismatch: the manifest there is not a bundle's index.
    """
    if not isinstance(found, Index) or found.artifact_type != LOCK:
        raise _not_a_bundle(where, f"not an agent-sync bundle (artifact type {quoted(str(found.artifact_type))})")
    name = found.annotations.get(NAME, "")
    if not is_name(name) or not found.manifests:
        raise _not_a_bundle(where, "the bundle has no valid name, or lists no lock file")
    if any(each.media_type != IMAGE_MANIFEST for each in found.manifests):
        raise _not_a_bundle(where, "the bundle lists something other than artifacts")
    first, *others = found.manifests
    return BundleIndex(found, name, first, tuple(others))


def name_to_verify(reference: Reference, registry: Registry, *, asked: str | None, configured: str | None) -> str:
    """Return the name that the signatures of the bundle there must be for.

    Raises:
        UsageError: nobody gave a name, and the reference has none; the name in the bundle itself is not trusted.
        DigestMismatch: nobody gave a name, and what is there is not a bundle.
    """
    if name := given_name(reference, asked=asked, configured=configured):
        return name
    try:
        claimed = parse_index(registry.manifest(tag_or_digest(reference)), where=str(reference)).name
    except NotFound as error:
        raise UsageError(subject=error.subject, check=error.check, remedy=error.remedy) from error
    raise UsageError(
        subject=str(reference),
        check=f"the bundle says it is `{claimed}`, which is not trusted by itself",
        remedy=f"if that is the bundle you expect, pass --name {claimed}",
    )


def title_of(listed: Descriptor) -> str:
    """Return the title of a part in the index."""
    return listed.annotations.get(TITLE, "")


def fetch_manifest(listed: Descriptor, registry: Registry) -> Manifest:
    """Fetch an artifact that an index lists.

    Raises:
        DigestMismatch: its type or size is not the one in the index.
        RegistryError: the registry failed.
    """
    found = registry.manifest(listed.digest)
    if not isinstance(found, Manifest) or len(found.content) != listed.size:
        raise _not_a_bundle(
            registry.name, f"manifest {listed.digest} does not have the type and size listed in its bundle"
        )
    return found


def _titled(title: str, manifest: Manifest) -> Descriptor:
    whole = manifest.descriptor
    return Descriptor(whole.media_type, whole.digest, whole.size, annotations={TITLE: title})


def _not_a_bundle(where: str, check: str) -> DigestMismatch:
    return DigestMismatch(
        subject=where, check=check, remedy="name a bundle that `agent-sync push` has written, with its tag or digest"
    )


# -- lock file -------------------------------------------------------------------------------------------------------


def lockfile_descriptor(bundle: BundleIndex, registry: Registry) -> Descriptor:
    """Return the descriptor of the lock file.

    Raises:
        DigestMismatch: the manifest is not that of a lock file.
        LimitExceeded: the lock file is larger than any lock.
    """
    manifest = fetch_manifest(bundle.lockfile, registry)
    if manifest.config.media_type != LOCKFILE:
        raise _not_a_lockfile(bundle, f"{manifest.digest} is not the manifest of a lock file")
    if manifest.config.size > MAX_LOCK_BYTES:
        raise LimitExceeded(
            subject=_lockfile_of(bundle),
            check=f"{manifest.config.size} bytes, and at most {MAX_LOCK_BYTES} are read",
            remedy="do not use this bundle",
        )
    return manifest.config


def read_lockfile(bundle: BundleIndex, registry: Registry) -> bytes:
    """Fetch the lock file, byte for byte. Raises what `lockfile_descriptor` raises."""
    content = bytearray()
    registry.get_blob(lockfile_descriptor(bundle, registry), content.extend)
    # The manifest follows from the lock: one with more in it, such as annotations, was not made by a push.
    if lockfile_manifest(bytes(content)).digest != bundle.lockfile.digest:
        raise _not_a_lockfile(bundle, "the manifest is not the one that this lock file gives")
    return bytes(content)


def _lockfile_of(bundle: BundleIndex) -> str:
    return f"lock file of {bundle.what}"


def _not_a_lockfile(bundle: BundleIndex, check: str) -> DigestMismatch:
    return DigestMismatch(subject=_lockfile_of(bundle), check=check, remedy="push the bundle again with agent-sync")


# -- parts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bundle: an item of the lock, and the descriptor of its artifact in the index."""

    item: Item
    listed: Descriptor


def parts_of(bundle: BundleIndex, lock: Lock) -> tuple[Part, ...]:
    """Return the parts in the order of the bundle's lock; the index must list exactly these.

    Raises:
        DigestMismatch: the index lists other parts.
        LockInvalid: the lock names no blob for a source.
    """
    items = items_of(lock)
    # In the same order too: the titles are all that connects a part with its place in the lock.
    if [title_of(each) for each in bundle.parts] != [item.title for item in items]:
        raise DigestMismatch(
            subject=bundle.what,
            check="the index lists other parts than its lock needs",
            remedy="push the bundle again with agent-sync",
        )
    return tuple(map(Part, items, bundle.parts))
