"""A trusted root that travels beside a bundle: believed only by who has pinned its sha256."""

from __future__ import annotations

import io

from agent_sync.bundle.media_types import TRUSTED_ROOT
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, NotFound
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Descriptor, Manifest
from agent_sync_oci.registry.protocol import Registry

ROOT_TAG = "trusted-root"
MAX_ROOT_BYTES = 1 << 20


def put_root(content: bytes, registry: Registry) -> None:
    """The trusted root has an entry of its own in the place; no bundle names it, so no digest changes with it."""
    config = Descriptor(TRUSTED_ROOT, Digest.of(content), len(content))
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(config, lambda: io.BytesIO(content))
    registry.put_manifest(Manifest.make(artifact_type=TRUSTED_ROOT, config=config, layers=(EMPTY,)), tag=ROOT_TAG)


def root_in(registry: Registry) -> bytes | None:
    """The trusted root that lies there, whoever put it; None if there is none that could be one."""
    try:
        manifest = registry.manifest(ROOT_TAG)
        if not isinstance(manifest, Manifest) or manifest.config.media_type != TRUSTED_ROOT:
            return None
        if manifest.config.size > MAX_ROOT_BYTES:
            return None
        content = bytearray()
        registry.get_blob(manifest.config, content.extend)
    except (NotFound, ContentLies):
        return None
    return bytes(content)
