"""URL sources: one file behind an address, pinned by its digest (spec §5.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote, urlsplit

from agent_sync.errors import BytesUnavailable, DigestMismatch
from agent_sync.sources.base import (
    Context,
    Declaration,
    Description,
    IndependentSourceType,
    Pin,
    Pinned,
    Request,
    UpstreamState,
    parameters,
    require_online,
    require_protocol,
    require_upstream,
)
from agent_sync.sources.content import SingleFile
from agent_sync.sources.fields import About, DigestText, Url
from agent_sync.sources.table import Table
from agent_sync.tree import RelPath, Sha256, safe_path
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record
from agent_sync_oci.text import REDACTED, quoted, redact_address

_BEGINNING_BYTES = 256
_CHANGED = "if the new content is wanted, review it and put its sha256 under `checksum:`"
_REVIEW = "for a url: review the new content, put its sha256 under `checksum:`"
_PAGE = "the server sent a web page, perhaps a login: use the address of the file itself, and check your access to it"


@record(kw_only=True)
class UrlDeclaration(Declaration):
    """One file behind an address, pinned by its digest (spec §5.2)."""

    type: ClassVar[str] = "url"
    title: ClassVar[str] = "UrlSource"
    location_key: ClassVar[str] = "url"
    also_resolved: ClassVar[tuple[str, ...]] = ("url",)

    url: Annotated[Url, About("The address of the file.", example="https://example.com/policy.md")]
    checksum: Annotated[DigestText, About("The SHA-256 digest of the file.", example="sha256:9f86d081...")]

    def recorded(self) -> UrlDeclaration:
        return replace(self, url=redact_address(self.url))

    def completed(self, pin: UrlPin) -> UrlDeclaration:
        return self if self.checksum else replace(self, checksum=f"sha256:{pin.sha256}")


@record
class UrlPin(Pin):
    """An address and the digest of its file; `key` is the file's name in the tree, `size` its length in bytes."""

    url: str
    sha256: Sha256
    key: RelPath
    size: int | None = None

    @property
    def content(self) -> SingleFile:
        return SingleFile(self.url, self.sha256, self.key, self.size)

    @classmethod
    def read(cls, resolved: Table) -> UrlPin:
        url = resolved.text("url")
        sha256 = resolved.sha256("sha256")
        return cls(url, sha256, resolved.safe_path(url_key(url), "url"), resolved.size("size"))

    def write(self) -> dict[str, Any]:
        return {"url": self.url, "sha256": self.sha256, **({} if self.size is None else {"size": self.size})}

    def problems(self, declaration: UrlDeclaration) -> Iterator[str]:
        if declaration.checksum not in ("", f"sha256:{self.sha256}"):
            yield f"sha256 is {self.sha256}, its checksum is {quoted(declaration.checksum)}"


UrlRequest = Request[UrlDeclaration, UrlPin]
UrlPinned = Pinned[UrlDeclaration, UrlPin]


class UrlType(IndependentSourceType[UrlDeclaration, UrlPin]):
    """Files behind http and https addresses."""

    declaration = UrlDeclaration
    pin = UrlPin

    def resolve_one(self, request: UrlRequest, context: Context) -> UrlPinned:
        """Fetch the file to the cache if it is not there, whole.

        Raises: DigestMismatch, NetworkError, LimitExceeded, UnsafePath (the address's file name), BytesUnavailable.
        """
        declared, digest = request.declared, Digest.parse(request.declared.checksum)
        public = redact_address(declared.url)
        key = safe_path(url_key(declared.url), subject=f"{request.subject}, {public}")
        if not context.is_whole(digest):
            require_online(request.name, context.world)
            _fetch_file(declared.url, digest, request, context)
        pin = UrlPin(public, Sha256(digest.hex), key, context.world.store.size(digest))
        return Pinned(request.name, declared.recorded(), pin)

    def check_one(self, request: UrlRequest, context: Context) -> UpstreamState:
        """Compare the digest of what the address serves now; nothing is kept.

        Raises: NetworkError, LimitExceeded, BytesUnavailable (offline).
        """
        require_upstream(request.name, context.world)
        digest = hashlib.sha256()
        _fetch(request.declared.url, digest.update, request, context)
        served = digest.hexdigest()
        same = request.locked is not None and request.locked.pin.sha256 == served
        return UpstreamState(same, f"sha256:{served[:12]}", remedy=None if same else _REVIEW)

    def refetch_one(self, request: UrlRequest, context: Context) -> SingleFile:
        """Fetch the locked file, by the configuration's address where there is one: the lock's has no secrets.

        Raises: BytesUnavailable, Untrusted, and what `resolve_one` raises.
        """
        pin = request.pinned.pin
        require_online(request.name, context.world)
        url = pin.url if request.declaration is None else request.declaration.url
        require_protocol(url, request.policy, subject=request.subject)
        if request.declaration is None and REDACTED in url:
            raise BytesUnavailable(
                subject=request.subject,
                check="not cached; its address has a secret that the lock does not hold, and --frozen reads no"
                " configuration",
                remedy="sync without --frozen once, or copy the cache here",
            )
        _fetch_file(url, Digest.from_hex(pin.sha256), request, context)
        return pin.content

    def describe(self, pinned: UrlPinned) -> Description:
        pin = pinned.pin
        return Description(
            summary=f"sha256:{pin.sha256[:12]}",
            uri=pin.url,
            digests={},
            parameters=parameters(pinned.declaration, without="checksum"),
            location=pin.url,
            version=pin.sha256,
        )


def url_key(url: str) -> str:
    """Return the last segment of the address's path, percent-decoded; query and fragment are dropped.

    A trailing slash is ignored; an address without a path gives its host name. The result is not checked yet.
    """
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    return unquote(segments[-1], errors="surrogateescape") if segments else (parts.hostname or "")


def _fetch_file(url: str, digest: Digest, request: UrlRequest, context: Context) -> None:
    """Fetch the file to the cache; nothing is cached if its digest is another."""
    beginning = bytearray()
    with context.world.store.writer() as writer:

        def write(chunk: bytes) -> None:
            if len(beginning) < _BEGINNING_BYTES:
                beginning.extend(chunk[:_BEGINNING_BYTES])
            writer.write(chunk)

        _fetch(url, write, request, context)
        try:
            writer.commit(digest)
        except DigestMismatch as error:
            raise DigestMismatch(
                subject=f"{request.subject}, {redact_address(url)}",
                check=f"{error.check}, not {digest.hex} as declared",
                remedy=_PAGE if _is_page(beginning) else _CHANGED,
                part=("checksum",),
            ) from error


def _fetch(url: str, write: Callable[[bytes], object], request: UrlRequest, context: Context) -> None:
    max_bytes, size_key = request.limits.of_one_file
    context.world.fetcher.fetch(
        url,
        write,
        max_bytes=max_bytes,
        size_key=size_key,
        timeout_s=request.limits.fetch_timeout_s,
        cancellation=context.world.cancellation,
    )


def _is_page(beginning: bytearray) -> bool:
    return beginning.lstrip().lower().startswith((b"<!doctype html", b"<html"))


TYPE = UrlType()
