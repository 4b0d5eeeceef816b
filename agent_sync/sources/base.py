"""What all source types share: the declaration as the lock records it, and what `--offline` forbids."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from agent_sync.config.model import GitSource, LocalSource, OciSource, Source, UrlSource
from agent_sync.errors import BytesUnavailable
from agent_sync.lock import Declared, LockedSource, UrlPin
from agent_sync.ports import World
from agent_sync_oci.redaction import redact_address

# -- What a source's declaration says, as the lock records it; two of them compared (docs/reference/lockfile.md,
# "Staleness").


def declared(source: Source) -> Declared:
    """The declared fields that decide what the source resolves to."""
    match source:
        case GitSource():
            return Declared(
                type="git",
                repo=redact_address(source.repo),
                ref=source.ref,
                paths=tuple(source.paths),
                exclude=tuple(source.exclude),
                root=source.root,
            )
        case UrlSource():
            return Declared(type="url", url=redact_address(source.url), checksum=source.checksum)
        case LocalSource():
            return Declared(type="local", path=source.path, exclude=tuple(source.exclude))
        case OciSource():
            return Declared(type="oci", reference=source.reference, digest=source.digest, exclude=tuple(source.exclude))
        case _:
            assert_never(source)


def differing_fields(source: Source, locked: LockedSource) -> tuple[str, ...]:
    """The names of the declared fields that are not what the lock was made for; empty if it is still good.

    What another implementation did not record cannot differ, with one exception: a url is good only for its checksum.
    """
    now, then = declared(source), _completed(locked)
    return tuple(
        field
        for field in (
            "type",
            "repo",
            "ref",
            "paths",
            "exclude",
            "root",
            "url",
            "checksum",
            "path",
            "reference",
            "digest",
        )
        if _plain(getattr(now, field)) != _plain(getattr(then, field)) and not _unrecorded(locked, field)
    )


def _completed(locked: LockedSource) -> Declared:
    if isinstance(locked.pin, UrlPin) and locked.declared.checksum is None:
        return replace(locked.declared, checksum=f"sha256:{locked.pin.sha256}")
    return locked.declared


def _unrecorded(locked: LockedSource, field: str) -> bool:
    """Whether a foreign lock, which has no packed form, leaves the field out."""
    if isinstance(locked.pin, UrlPin) or locked.pin.packed.blob is not None:
        return False
    return getattr(locked.declared, field) in (None, ())


def _plain(value: object) -> object:
    """`./agents/` and `agents` are one directory, upper- and lower-case digits one checksum."""
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, str):
        text = value.removeprefix("./").rstrip("/") or "."
        return text.lower() if text.lower().startswith("sha256:") else text
    return value


# -- What `--offline` rules out.


def refuse_offline(source: str, world: World) -> None:
    """Nothing, if the network may be used; BytesUnavailable otherwise."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="it lies upstream, the store does not have it, and --offline was given",
            remedy="run it once without --offline, or bring the store along",
        )


def refuse_to_ask(source: str, world: World) -> None:
    """The same where it is not bytes that are wanted, but what upstream has now: no store can tell."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="upstream has to be asked, and --offline was given",
            remedy="run it without --offline",
        )
