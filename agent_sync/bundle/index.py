"""The lock bundle: one index that names the lockfile and every part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import LOCK, LOCKFILE, NAME, TITLE
from agent_sync.bundle.naming import is_name
from agent_sync.errors import ContentMismatch
from agent_sync.escaping import shown
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, Descriptor, Index, Manifest
from agent_sync_oci.media_types import IMAGE_MANIFEST
from agent_sync_oci.registry.protocol import Registry

_TITLE_OF_LOCK = "agent-sync.lock"


def lockfile_manifest(lock: bytes) -> Manifest:
    """The artifact whose config is the lockfile, byte for byte."""
    config = Descriptor(LOCKFILE, Digest.of(lock), len(lock))
    return Manifest.make(artifact_type=LOCKFILE, config=config, layers=(EMPTY,))


def lock_index(name: str, lockfile: Manifest, parts: Sequence[tuple[Item, Manifest]]) -> Index:
    """The lock bundle `name`: the lockfile first, then its parts in the lock's order, each under its title."""
    children = (_child(_TITLE_OF_LOCK, lockfile), *(_child(item.title, manifest) for item, manifest in parts))
    return Index.make(artifact_type=LOCK, manifests=children, annotations={NAME: name})


@dataclass(frozen=True, slots=True)
class OpenedIndex:
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


def opened(found: Manifest | Index, *, where: str) -> OpenedIndex:
    """The lock bundle that was found at `where`. Raises: ContentMismatch if it is something else."""
    if not isinstance(found, Index) or found.artifact_type != LOCK:
        raise _other(where, f"what lies there is no lock bundle ({shown(str(found.artifact_type))})")
    name = found.annotations.get(NAME, "")
    if not is_name(name) or not found.manifests:
        raise _other(where, "the bundle has no name that can be one, or names no lockfile")
    if any(each.media_type != IMAGE_MANIFEST for each in found.manifests):
        raise _other(where, "the bundle names something that is no artifact")
    first, *others = found.manifests
    return OpenedIndex(found, name, first, tuple(others))


def title_of(listed: Descriptor) -> str:
    """How the index calls a part."""
    return listed.annotations.get(TITLE, "")


def listed_manifest(listed: Descriptor, registry: Registry) -> Manifest:
    """The artifact that an index lists. Raises: ContentMismatch if the index lies about it, and what reading raises."""
    found = registry.manifest(listed.digest)
    if not isinstance(found, Manifest) or len(found.content) != listed.size:
        raise _other(registry.name, f"manifest {listed.digest} has not the type or the length that its bundle says")
    return found


def _child(title: str, manifest: Manifest) -> Descriptor:
    whole = manifest.descriptor
    return Descriptor(whole.media_type, whole.digest, whole.size, annotations={TITLE: title})


def _other(where: str, check: str) -> ContentMismatch:
    return ContentMismatch(
        subject=where, check=check, remedy="name a place that `agent-sync push` has written, with its tag or digest"
    )
