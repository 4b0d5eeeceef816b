"""The lockfile in a bundle."""

from __future__ import annotations

from agent_sync.bundle.index import OpenedIndex, listed_manifest, lockfile_manifest
from agent_sync.bundle.media_types import LOCKFILE
from agent_sync.errors import ContentMismatch, LimitExceeded
from agent_sync.lock.reading import MAX_LOCK_BYTES
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import Registry


def lockfile_in(bundle: OpenedIndex, registry: Registry) -> Descriptor:
    """Where the lockfile's bytes are, and how many. Raises: ContentMismatch, LimitExceeded (no lock is so long)."""
    manifest = listed_manifest(bundle.lockfile, registry)
    if manifest.config.media_type != LOCKFILE:
        raise _other(bundle, f"{manifest.digest} is not the manifest of a lockfile")
    if manifest.config.size > MAX_LOCK_BYTES:
        raise LimitExceeded(
            subject=_lockfile_of(bundle),
            check=f"it has {manifest.config.size} bytes, and at most {MAX_LOCK_BYTES} are read",
            remedy="do not use this place",
        )
    return manifest.config


def read_lockfile(bundle: OpenedIndex, registry: Registry) -> bytes:
    """The lockfile, byte for byte. Raises: what `lockfile_in` raises."""
    content = bytearray()
    registry.get_blob(lockfile_in(bundle, registry), content.extend)
    if lockfile_manifest(bytes(content)).digest != bundle.lockfile.digest:
        raise _other(bundle, "its manifest says more than that it is one")
    return bytes(content)


def _lockfile_of(bundle: OpenedIndex) -> str:
    return f"the lockfile of {bundle.what}"


def _other(bundle: OpenedIndex, check: str) -> ContentMismatch:
    return ContentMismatch(subject=_lockfile_of(bundle), check=check, remedy="push the bundle again with agent-sync")
