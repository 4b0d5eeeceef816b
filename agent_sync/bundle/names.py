"""Names of bundles: their media types, their annotations and tags, and the name that signatures are bound to.

The format is described in `oci/README.md`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from agent_sync.errors import UsageError
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from agent_sync_oci.text import quoted

# -- What our artifacts are called (oci/README.md), and the tags under which sources are found from the lock alone.

SOURCE = "application/vnd.agent-sync.source.v1"
DERIVED = "application/vnd.agent-sync.rendered.v1"
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


# -- What a bundle is called, and where a place lies.

ONLY_TAG = "latest"
"""The tag in a layout or archive where none is named."""

_LONGEST_NAME = 1024
_OUR_TAG = re.compile(r"(src|root|sha256)-[0-9a-f]{64}.*")


def bundle_name(place: Reference, *, asked: str | None, configured: str | None) -> str:
    """The name that signatures are bound to: the one asked for, else the configuration's, else the registry's own.

    Raises: UsageError for a layout or an archive without either of the first two: where a file lies says nothing.
    """
    if asked is not None and not is_name(asked):
        check = f"{quoted(asked)} is no name: it is empty or too long, or has spaces or what is not shown in it"
        raise UsageError(subject="--name", check=check, remedy="give it one like acme/agents")
    if name := asked or configured:
        return name
    if isinstance(place, RegistryReference):
        return place.name
    raise UsageError(
        subject=str(place),
        check="a bundle in a directory or a file has no name of its own",
        remedy="give --name, or write `bundle: {name: ...}` into agent-sync.yaml",
    )


def is_name(text: str) -> bool:
    """Whether a bundle can be called that."""
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and not any(map(str.isspace, text))


def resolve_relative(directory: str, place: Reference) -> Reference:
    """The place, its path relative to `directory` if it is not absolute."""
    match place:
        case RegistryReference():
            return place
        case ArchiveReference():
            return replace(place, file=posixpath.join(directory, place.file))
        case LayoutReference():
            return replace(place, directory=posixpath.join(directory, place.directory))


def tag_to_push(place: Reference) -> str | None:
    """The tag under which a bundle is put there; None: by its digest alone.

    Raises: UsageError for a digest, and for a tag under which something else is looked for.
    """
    if place.digest is not None:
        raise UsageError(
            subject=str(place), check="a digest follows from what is pushed", remedy="leave it out, and name a tag"
        )
    if place.tag is not None and _OUR_TAG.fullmatch(place.tag):
        raise UsageError(
            subject=str(place),
            check="tags like this one are those of sources, trusted roots and signatures",
            remedy="choose another tag",
        )
    return _tag(place)


def tag_or_digest(place: Reference) -> Digest | str:
    """What is asked for there. Raises: UsageError if that is neither said nor clear."""
    wanted = place.digest or _tag(place)
    if wanted is None:
        raise UsageError(
            subject=str(place), check="it names neither a tag nor a digest", remedy="append :TAG or @sha256:..."
        )
    return wanted


def _tag(place: Reference) -> str | None:
    """A directory or a file usually holds one bundle, so a tag may be left out there; a registry is another matter."""
    return place.tag or (None if isinstance(place, RegistryReference) else ONLY_TAG)
