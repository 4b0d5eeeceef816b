"""agent-sync cache gc"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, bytes_text, counted, listed, short_digest

if TYPE_CHECKING:
    from agent_sync.store.cache import Reclaimed

_KEEP_DAYS = 90  # as the cache itself has it; importing that for a help text would load the cache


def cache_gc(
    session: Session,
    keep_days: Annotated[
        int,
        typer.Option("--keep-days", min=0, metavar="DAYS", help="Keep what any lock used in this many days needs."),
    ] = _KEEP_DAYS,
) -> Answer:
    """Delete cached content that no lock needs."""
    reclaimed = session.cache().gc(keep_days=keep_days)
    return Answer(reclaimed, lines=_lines(reclaimed, verbose=session.options.verbose))


def _lines(reclaimed: Reclaimed, *, verbose: bool) -> Iterator[Line]:
    if verbose:
        yield from ((Styled("remove", Style.REMOVED), f" {short_digest(digest)}") for digest in reclaimed.removed)
    yield from listed("not used lately: ", (root.path for root in reclaimed.forgotten))
    yield (
        f"removed {counted(len(reclaimed.removed), 'blob')} ({bytes_text(reclaimed.freed_bytes)}),"
        f" kept {counted(len(reclaimed.kept), 'blob')}"
    )


VERB = Verb(
    "cache gc",
    cache_gc,
    document="documents_out.machine.cache_gc_document",
    section=Section.MACHINE,
    examples=("agent-sync cache gc", "agent-sync cache gc --keep-days 30"),
)
