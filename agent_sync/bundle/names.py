"""Names of bundles: their media types, their annotations and tags, and the name that signatures are bound to.

The format is described in `oci/README.md`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from agent_sync.errors import UsageError
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from agent_sync_oci.text import quoted

# -- media types, annotations, tags ----------------------------------------------------------------------------------

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
    """Return the tag of a trusted root, by which whoever has pinned the root finds it."""
    return f"root-{file.hex}"


def source_tag(blob: Digest) -> str:
    """Return the tag of the artifact that holds this blob. The tag is a hint: what is found there is verified."""
    return f"src-{blob.hex}"


# -- bundle names ----------------------------------------------------------------------------------------------------

ONLY_TAG = "latest"
"""The tag in a layout or archive where the reference names none."""

_LONGEST_NAME = 1024
_OUR_TAG = re.compile(r"(src|root|sha256)-[0-9a-f]{64}.*")


def bundle_name(reference: Reference, *, asked: str | None, configured: str | None) -> str:
    """Return the name that a new bundle is signed for.

    Raises:
        UsageError: the name is invalid, or a layout or archive has none.
    """
    if name := given_name(reference, asked=asked, configured=configured):
        return name
    raise UsageError(
        subject=str(reference),
        check="bundles in layouts and archives need a name",
        remedy="pass --name, or write `bundle: {name: ...}` into agent-sync.yaml",
    )


def given_name(reference: Reference, *, asked: str | None, configured: str | None) -> str | None:
    """Return the name that signatures are bound to: the one asked for, else the configured one, else the registry's.

    None in a layout or archive: neither its path nor what is in it is a name. Whoever copies it here decides both, and
    would decide which rule applies.

    Raises:
        UsageError: the name is invalid.
    """
    if asked is not None and not is_name(asked):
        check = f"{quoted(asked)} is not a name: a name has 1 to {_LONGEST_NAME} printable characters and no spaces"
        raise UsageError(subject="--name", check=check, remedy="give a name like acme/agents")
    return asked or configured or (reference.name if isinstance(reference, RegistryReference) else None)


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a bundle."""
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and not any(map(str.isspace, text))


def resolve_relative(directory: str, reference: Reference) -> Reference:
    """Return the reference, its path relative to `directory` unless it is absolute."""
    return map_path(reference, partial(_join, directory))


def map_path(reference: Reference, change: Callable[[str], str]) -> Reference:
    """Return the reference with its path changed; a registry's has none."""
    match reference:
        case RegistryReference():
            return reference
        case ArchiveReference():
            return replace(reference, file=change(reference.file))
        case LayoutReference():
            return replace(reference, directory=change(reference.directory))


def _join(directory: str, path: str) -> str:
    """Join without the `./` that a shell's completion puts before a path; `..` stays, since it may follow a link."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return posixpath.join(directory, path) if path not in ("", ".") else directory


def tag_to_push(reference: Reference) -> str | None:
    """Return the tag that a push moves; None pushes by digest alone.

    Raises:
        UsageError: the reference has a digest, or a tag that is reserved.
    """
    if reference.digest is not None:
        raise UsageError(
            subject=str(reference),
            check="the digest follows from what is pushed",
            remedy="leave the digest out, and name a tag",
        )
    if reference.tag is not None and _OUR_TAG.fullmatch(reference.tag):
        raise UsageError(
            subject=str(reference),
            check="tags like this are reserved for sources, trusted roots, and signatures",
            remedy="choose another tag",
        )
    return _tag(reference)


def tag_or_digest(reference: Reference) -> Digest | str:
    """Return what a pull asks for: the digest, else the tag.

    Raises:
        UsageError: a registry's reference has neither.
    """
    wanted = reference.digest or _tag(reference)
    if wanted is None:
        raise UsageError(
            subject=str(reference), check="a tag or a digest is missing", remedy="append :TAG or @sha256:..."
        )
    return wanted


def _tag(reference: Reference) -> str | None:
    """Return the tag; a layout or archive usually holds one bundle, so a tag may be left out there, but not in a
    registry.
    """
    return reference.tag or (None if isinstance(reference, RegistryReference) else ONLY_TAG)
