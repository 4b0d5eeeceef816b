"""What our artifacts are called (oci/README.md), and the tags under which sources are found from the lock alone."""

from __future__ import annotations

from agent_sync_oci.digest import Digest

SOURCE = "application/vnd.agent-sync.source.v1"
RENDERED = "application/vnd.agent-sync.rendered.v1"
LOCKFILE = "application/vnd.agent-sync.lockfile.v1+yaml"
LOCK = "application/vnd.agent-sync.lock.v1"
TRUSTED_ROOT = "application/vnd.agent-sync.trusted-root.v1+json"

CONFIG = "application/vnd.agent-sync.source.config.v1+json"
LAYER_ZSTD = "application/vnd.agent-sync.source.layer.v1.tar+zstd"
LAYER_TAR = "application/vnd.agent-sync.source.layer.v1.tar"
LAYER_RAW = "application/vnd.agent-sync.source.layer.v1"

NAME = "dev.agent-sync.name"
TITLE = "org.opencontainers.image.title"


def root_tag(file: Digest) -> str:
    """The tag of a trusted root, by which whoever has pinned it finds it."""
    return f"root-{file.hex}"


def source_tag(blob: Digest) -> str:
    """The tag of the artifact that carries this blob; a hint, which what lies there must live up to."""
    return f"src-{blob.hex}"
