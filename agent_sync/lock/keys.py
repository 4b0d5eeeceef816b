"""What a fetched file is called in its tree."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def url_key(url: str) -> str:
    """The last segment of the address's path, percent-decoded; query and fragment are dropped.

    A trailing slash is passed over; an address without a path gives its host name. The result is not checked yet.
    """
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    return unquote(segments[-1], errors="surrogateescape") if segments else (parts.hostname or "")
