"""Trusted roots that travel beside a bundle: each is believed only by who has pinned its sha256."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

from agent_sync.bundle.media_types import TRUSTED_ROOT, root_tag
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, NotFound, TooMuch
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, Descriptor, Manifest
from agent_sync_oci.registry.protocol import Registry

MAX_ROOT_BYTES = 1 << 20
MAX_ROOTS = 16
"""That are taken along from one place to another."""

_TAG = re.compile(r"root-([0-9a-f]{64})")


def put_root(content: bytes, registry: Registry) -> None:
    """The trusted root has an entry of its own in the place; no bundle names it, so no digest changes with it."""
    config = Descriptor(TRUSTED_ROOT, Digest.of(content), len(content))
    manifest = Manifest.make(artifact_type=TRUSTED_ROOT, config=config, layers=(EMPTY,))
    registry.put_blob(EMPTY, lambda: io.BytesIO(EMPTY_CONTENT))
    registry.put_blob(config, lambda: io.BytesIO(content))
    registry.put_manifest(manifest, tag=root_tag(config.digest))


def roots_at(registry: Registry, pinned: Iterable[str]) -> tuple[bytes, ...]:
    """Those of the trusted roots with these sha256 (in hex) that lie there."""
    found = (_root(Digest.from_hex(sha256), registry) for sha256 in sorted(pinned))
    return tuple(content for content in found if content is not None)


def roots_in(registry: Registry) -> Iterator[bytes]:
    """The trusted roots in a folder or file, whoever put them there; of more than MAX_ROOTS the first."""
    tags = [found[1] for tag in registry.tags() if (found := _TAG.fullmatch(tag)) is not None]
    yield from roots_at(registry, tags[:MAX_ROOTS])


def _root(digest: Digest, registry: Registry) -> bytes | None:
    try:
        manifest = registry.manifest(root_tag(digest))
        if not isinstance(manifest, Manifest) or manifest.config.digest != digest:
            return None
        if manifest.config.size > MAX_ROOT_BYTES:
            return None
        content = bytearray()
        registry.get_blob(manifest.config, content.extend)
    except (NotFound, ContentLies, TooMuch):
        return None
    return bytes(content)
