"""Where a user's cache lies: the store and the receipts side by side."""

from __future__ import annotations

import posixpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAMED_BY = "AGENT_SYNC_CACHE"


def user_cache(environment: Mapping[str, str], *, macos: bool) -> str | None:
    """agent-sync's directory in the user's cache; None if there is no home either."""
    base = environment.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        return posixpath.join(base, "agent-sync")
    home = environment.get("HOME") or environment.get("USERPROFILE")
    if not home:
        return None
    below = ("Library", "Caches") if macos else (".cache",)
    return posixpath.join(home, *below, "agent-sync")


def receipts_directory(environment: Mapping[str, str], *, macos: bool) -> str | None:
    """Where receipts lie: inside the directory that AGENT_SYNC_CACHE names, else beside the store."""
    cache = environment.get(NAMED_BY) or user_cache(environment, macos=macos)
    return None if cache is None else posixpath.abspath(posixpath.join(cache, "receipts"))
