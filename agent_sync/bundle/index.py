"""The lock bundle: one index that names the lockfile and every part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import LOCK, LOCKFILE, NAME, TITLE
from agent_sync.errors import ContentMismatch
from agent_sync.escaping import shown
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, Descriptor, Index, Manifest

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
    """What a lock bundle names: itself, its lockfile, and its parts by title. Nothing of it is proved by this."""

    index: Index
    name: str
    lockfile: Digest
    parts: tuple[tuple[str, Digest], ...]


def opened(found: Manifest | Index, *, where: str) -> OpenedIndex:
    """The lock bundle that was found at `where`. Raises: ContentMismatch if it is something else."""
    if not isinstance(found, Index) or found.artifact_type != LOCK:
        raise _other(where, f"what lies there is no lock bundle ({shown(str(found.artifact_type))})")
    name = found.annotations.get(NAME)
    if name is None or not found.manifests:
        raise _other(where, "the bundle has no name, or names no lockfile")
    first, *others = found.manifests
    return OpenedIndex(
        found, name, first.digest, tuple((each.annotations.get(TITLE, ""), each.digest) for each in others)
    )


def lockfile_of(manifest: Manifest | Index, *, where: str) -> Descriptor:
    """Where the lockfile's bytes are. Raises: ContentMismatch if the manifest is no lockfile's."""
    if not isinstance(manifest, Manifest) or manifest.config.media_type != LOCKFILE:
        raise _other(where, f"{manifest.digest} is not the manifest of a lockfile")
    return manifest.config


def _child(title: str, manifest: Manifest) -> Descriptor:
    whole = manifest.descriptor
    return Descriptor(whole.media_type, whole.digest, whole.size, annotations={TITLE: title})


def _other(where: str, check: str) -> ContentMismatch:
    return ContentMismatch(
        subject=where, check=check, remedy="name a place that `agent-sync push` has written, with its tag or digest"
    )
