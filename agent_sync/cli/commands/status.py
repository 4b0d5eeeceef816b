"""agent-sync status"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.options import Names
from agent_sync.cli.report import Age, Line, Style, Styled, align
from agent_sync.cli.run import Answer, Section, Session, Verb

if TYPE_CHECKING:
    from agent_sync.operations.status import StatusResult

_TITLES = ("SOURCE", "TYPE", "PINNED AT", "TARGETS", "STATE")
_STYLES = {"synced": Style.ADDED, "pending": Style.CHANGED, "missing": Style.REMOVED, "drifted": Style.REMOVED}


def status(session: Session, names: Names = None) -> Answer:
    """Show the state of each source.

    synced: as locked. drifted: a file was changed here. missing: a file does not exist. pending: an update or a sync is
    due, for instance because the directory of a local source has changed. Upstream is not contacted: use
    `agent-sync verify` for that.
    """
    result = session.project().status(names or ())
    return Answer(result, lines=_lines(result))


def _lines(result: StatusResult) -> Iterator[Line]:
    rows = [
        (
            row.name,
            row.type,
            row.pinned_at,
            ", ".join(row.targets) or "-",
            Styled(row.state.value, _STYLES[row.state.value]),
        )
        for row in result.rows
    ]
    yield from align([[Styled(title, Style.STRONG) for title in _TITLES], *rows])
    yield ("last sync: ", "unknown" if result.last_sync_s is None else Age(result.last_sync_s))


VERB = Verb(
    "status",
    status,
    document="documents_out.sources.status_document",
    section=Section.EVERYDAY,
    examples=("agent-sync status", "agent-sync status base-rules --json"),
    repeatable=lambda _values: True,
)
