"""The lockfile in a bundle."""

from __future__ import annotations

from agent_sync.bundle.index import OpenedIndex, lockfile_manifest, lockfile_of
from agent_sync.errors import ContentMismatch, LimitExceeded
from agent_sync.lock.reading import MAX_LOCK_BYTES
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import Registry


def lockfile_in(bundle: OpenedIndex, registry: Registry) -> Descriptor:
    """Where the lockfile's bytes are, and how many. Raises: ContentMismatch, LimitExceeded (no lock is so long)."""
    config = lockfile_of(registry.manifest(bundle.lockfile), where=registry.name)
    if config.size > MAX_LOCK_BYTES:
        raise LimitExceeded(
            subject=f"the lockfile of bundle {bundle.name}",
            check=f"it has {config.size} bytes, and at most {MAX_LOCK_BYTES} are read",
        )
    return config


def read_lockfile(bundle: OpenedIndex, registry: Registry) -> bytes:
    """The lockfile, byte for byte. Raises: what `lockfile_in` raises."""
    content = bytearray()
    registry.get_blob(lockfile_in(bundle, registry), content.extend)
    if lockfile_manifest(bytes(content)).digest != bundle.lockfile:
        raise ContentMismatch(
            subject=f"the lockfile of bundle {bundle.name}",
            check="its manifest says more than that it is one",
            remedy="push the bundle again with agent-sync",
        )
    return bytes(content)
