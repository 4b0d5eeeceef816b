"""agent-sync status"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.options import Names
from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, align, time_text

if TYPE_CHECKING:
    from agent_sync.operations.status import StatusResult

_TITLES = ("SOURCE", "TYPE", "PINNED AT", "TARGETS", "STATE")
_STYLES = {"synced": Style.ADDED, "pending": Style.CHANGED, "missing": Style.REMOVED, "drifted": Style.REMOVED}


def status(session: Session, names: Names = None) -> Answer:
    """Show the state of each source.

    synced: as locked. drifted: changed here. missing: a file is gone. pending: an update or a sync has yet to come, for
    instance because the directory of a local source has changed since it was locked. Upstream is not asked: verify
    does.
    """
    result = session.project().status(names or ())
    return Answer(_fields(result), lines=_lines(result))


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
    yield f"last sync: {'unknown' if result.last_sync_s is None else time_text(result.last_sync_s)}"


def _fields(result: StatusResult) -> dict[str, object]:
    sources = [
        {
            "name": row.name,
            "type": row.type,
            "pinned_at": row.pinned_at,
            "targets": row.targets,
            "state": row.state.value,
        }
        for row in result.rows
    ]
    return {"sources": sources, "last_sync": None if result.last_sync_s is None else time_text(result.last_sync_s)}


VERB = Verb(
    "status",
    status,
    fields={
        "sources": "each source: `name`, `type`, `pinned_at`, the directories of its `targets`, and its `state`"
        " (synced, drifted, missing, pending)",
        "last_sync": "when files were last written, in UTC; null if that is unknown",
    },
    examples=("agent-sync status", "agent-sync status base-rules --json"),
    repeatable=lambda _values: True,
)
