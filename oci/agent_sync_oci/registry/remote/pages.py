"""Lists that a registry gives out a page at a time, and that an honest one ends (distribution spec 1.1, RFC 8288)."""

from __future__ import annotations

from collections.abc import Generator

from agent_sync_oci.errors import TooMuch
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES
from agent_sync_oci.registry.remote.answers import body_of, expect, media_type_of
from agent_sync_oci.registry.remote.exchange import Exchange

_MOST_PAGES = 100
_MOST_BYTES = 4 * MAX_MANIFEST_BYTES


def pages(
    exchange: Exchange, path: str, *, subject: str, unless: tuple[int, ...]
) -> Generator[tuple[bytes, str | None], None, None]:
    """The body and media type of each page; none if the registry answers one of `unless`: it has no such list.

    Raises: TooMuch (pages, bytes), RegistryFault (a next page elsewhere).
    """
    url = exchange.url(path)
    size = 0
    for _ in range(_MOST_PAGES):
        with exchange.ask("GET", url) as answer:
            if answer.status_code in unless:
                return
            expect(answer, 200, subject=subject)
            body = body_of(answer, max_bytes=_MOST_BYTES - size, subject=subject)
            size += len(body)
            yield body, media_type_of(answer)
            after = answer.links.get("next", {}).get("url")
            if after is None:
                return
            url = exchange.within(answer.request.url, after, what="it says that the next page leads")
    raise TooMuch(subject=subject, check=f"the registry has more than {_MOST_PAGES} pages of them")
