"""agent-sync restore"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import Age, Line
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.restore import RestoreResult


def restore(
    session: Session,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file, relative to the project's directory.", show_default=False)
    ],
) -> Answer:
    """Bring back a local edit that a sync replaced.

    The newest kept edit of the file is put back. If the file has been edited again, that edit is kept in turn.
    """
    result = session.project().restore(path)
    return Answer(result, lines=_lines(result))


def _lines(result: RestoreResult) -> Iterator[Line]:
    restored = result.restored
    yield (f"restored {printable_line(restored.edit.path)} from the edit kept ", Age(_when_s(restored.edit.when)))
    if restored.replaced is not None:
        yield f"kept the edit that it replaced: {printable_line(restored.replaced.place)}"


def _when_s(when: str) -> float:
    """Return the seconds since 1970 of `20261121T042011Z`, as the directories of kept edits are named."""
    return datetime.strptime(when, "%Y%m%dT%H%M%S%z").timestamp()


VERB = Verb(
    "restore",
    restore,
    document="documents_out.files.restore_document",
    section=Section.REPAIR,
    examples=("agent-sync restore .cursor/rules/style.md",),
)
