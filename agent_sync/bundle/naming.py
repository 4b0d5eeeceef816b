"""What a bundle is called, and where a place lies."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from agent_sync.errors import UsageWrong
from agent_sync.escaping import shown
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import ArchivePlace, LayoutPlace, Place, RegistryPlace

ONLY_TAG = "latest"
"""The tag in a layout or archive where none is named."""

_LONGEST_NAME = 1024
_OUR_TAG = re.compile(r"(src|root|sha256)-[0-9a-f]{64}.*")


def bundle_name(place: Place, *, asked: str | None, configured: str | None) -> str:
    """The name that signatures are bound to: the one asked for, else the configuration's, else the registry's own.

    Raises: UsageWrong for a layout or an archive without either of the first two: where a file lies says nothing.
    """
    if asked is not None and not is_name(asked):
        check = f"{shown(asked)} is no name: it is empty or too long, or has spaces or what is not shown in it"
        raise UsageWrong(subject="--name", check=check, remedy="give it one like acme/agents")
    if name := asked or configured:
        return name
    if isinstance(place, RegistryPlace):
        return place.name
    raise UsageWrong(
        subject=str(place),
        check="a bundle in a folder or a file has no name of its own",
        remedy="give --name, or write `bundle: {name: ...}` into agent-sync.yaml",
    )


def is_name(text: str) -> bool:
    """Whether a bundle can be called that."""
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and not any(map(str.isspace, text))


def below(folder: str, place: Place) -> Place:
    """The place, its path relative to `folder` if it is not absolute."""
    match place:
        case RegistryPlace():
            return place
        case ArchivePlace():
            return replace(place, file=posixpath.join(folder, place.file))
        case LayoutPlace():
            return replace(place, folder=posixpath.join(folder, place.folder))


def tag_to_move(place: Place) -> str | None:
    """The tag under which a bundle is put there; None: by its digest alone.

    Raises: UsageWrong for a digest, and for a tag under which something else is looked for.
    """
    if place.digest is not None:
        raise UsageWrong(
            subject=str(place), check="a digest follows from what is pushed", remedy="leave it out, and name a tag"
        )
    if place.tag is not None and _OUR_TAG.fullmatch(place.tag):
        raise UsageWrong(
            subject=str(place),
            check="tags like this one are those of sources, trusted roots and signatures",
            remedy="choose another tag",
        )
    return _tag(place)


def wanted_at(place: Place) -> Digest | str:
    """What is asked for there. Raises: UsageWrong if that is neither said nor clear."""
    wanted = place.digest or _tag(place)
    if wanted is None:
        raise UsageWrong(
            subject=str(place), check="it names neither a tag nor a digest", remedy="append :TAG or @sha256:..."
        )
    return wanted


def _tag(place: Place) -> str | None:
    """A folder or a file usually holds one bundle, so a tag may be left out there; a registry is another matter."""
    return place.tag or (None if isinstance(place, RegistryPlace) else ONLY_TAG)
