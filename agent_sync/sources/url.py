"""Resolve a url source to one file in the cache that matches the declared checksum (spec §5.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_sync.errors import DigestMismatch
from agent_sync.lock import LockedSource, UrlPin
from agent_sync.lock.model import url_key
from agent_sync.sources.base import declared, refuse_offline, refuse_to_ask
from agent_sync.store.verify import is_whole
from agent_sync.tree import Sha256, safe_path
from agent_sync_oci.digest import Digest
from agent_sync_oci.redaction import redact_address

if TYPE_CHECKING:
    from agent_sync.config.model import UrlSource
    from agent_sync.limits import Limits
    from agent_sync.ports import World

_BEGINNING_BYTES = 256
_CHANGED = "if the new content is wanted, look at it and put its sha256 under `checksum:`"
_PAGE = "what came is a web page, perhaps a login: use the address of the file itself, and see that you may read it"


def resolve_url(source: UrlSource, world: World, *, limits: Limits) -> LockedSource:
    """The source, locked; its bytes are in the store. Nothing is fetched if they were there already, and whole.

    Raises: DigestMismatch, NetworkError, LimitExceeded, UnsafePath (the address's file name).
    """
    subject = f"source {source.name}"
    digest = Digest.parse(source.checksum)
    key = safe_path(url_key(source.url), subject=f"{subject}, {redact_address(source.url)}")
    if not is_whole(digest, world.store, observer=world.observer):
        refuse_offline(source.name, world)
        fetch_url(source.url, digest, world, subject=subject, limits=limits)
    pin = UrlPin(redact_address(source.url), Sha256(digest.hex), key, world.store.size(digest))
    return LockedSource(source.name, declared(source), pin)


def fetch_url(url: str, digest: Digest, world: World, *, subject: str, limits: Limits) -> None:
    """The bytes behind `url` are in the store, verified; nothing is there if they are not what `digest` says."""
    beginning = bytearray()
    with world.store.writer() as writer:

        def write(chunk: bytes) -> None:
            if len(beginning) < _BEGINNING_BYTES:
                beginning.extend(chunk[:_BEGINNING_BYTES])
            writer.write(chunk)

        _fetch(url, write, world, limits)
        try:
            writer.commit(digest)
        except DigestMismatch as error:
            raise DigestMismatch(
                subject=f"{subject}, {redact_address(url)}",
                check=f"{error.check}, not {digest.hex} as declared",
                remedy=_PAGE if _is_page(beginning) else _CHANGED,
            ) from error


def _is_page(beginning: bytearray) -> bool:
    return beginning.lstrip().lower().startswith((b"<!doctype html", b"<html"))


def served_digest(source: UrlSource, world: World, *, limits: Limits) -> Digest:
    """The digest of what the address serves now; nothing is kept. Raises NetworkError, LimitExceeded, BytesUnavailable
    (offline).
    """
    refuse_to_ask(source.name, world)
    digest = hashlib.sha256()
    _fetch(source.url, digest.update, world, limits)
    return Digest.from_hex(digest.hexdigest())


def _fetch(url: str, write: Callable[[bytes], object], world: World, limits: Limits) -> None:
    world.fetcher.fetch(
        url,
        write,
        max_bytes=min(limits.max_file_size, limits.max_source_size),
        timeout_s=limits.fetch_timeout_s,
        cancellation=world.cancellation,
    )
