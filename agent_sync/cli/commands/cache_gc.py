"""agent-sync cache gc"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, bytes_text, counted, listed

if TYPE_CHECKING:
    from agent_sync.store.cache import Reclaimed

_KEEP_DAYS = 90  # KEEP_DAYS of store.cache; importing it for a help text would load the cache


def cache_gc(
    session: Session,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=0, metavar="DAYS", help="Keep what locks seen in so many days need.")
    ] = _KEEP_DAYS,
) -> Answer:
    """Remove from the store what no lock needs any more."""
    reclaimed = session.cache().gc(keep_days=keep_days)
    return Answer(_fields(reclaimed), lines=_lines(reclaimed, verbose=session.options.verbose))


def _lines(reclaimed: Reclaimed, *, verbose: bool) -> Iterator[Line]:
    if verbose:
        yield from ((Styled("remove", Style.REMOVED), f" {digest}") for digest in reclaimed.removed)
    yield from listed("not seen lately: ", (root.path for root in reclaimed.forgotten))
    yield (
        f"removed {counted(len(reclaimed.removed), 'blob')}, {bytes_text(reclaimed.freed_bytes)};"
        f" kept {counted(len(reclaimed.kept), 'blob')}"
    )


def _fields(reclaimed: Reclaimed) -> dict[str, object]:
    return {
        "removed": reclaimed.removed,
        "kept": len(reclaimed.kept),
        "freed_bytes": reclaimed.freed_bytes,
        "forgotten": [root.path for root in reclaimed.forgotten],
    }


VERB = Verb(
    "cache gc",
    cache_gc,
    fields={
        "removed": "the digests of what was removed",
        "kept": "how many blobs were kept",
        "freed_bytes": "the bytes that were freed",
        "forgotten": "the paths of the locks that were not seen lately, and keep nothing any more",
    },
    examples=("agent-sync cache gc", "agent-sync cache gc --keep-days 30"),
)
