"""agent-sync recover"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.report import Line, listed
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.recover import RecoverResult


def recover(session: Session) -> Answer:
    """Undo an interrupted sync.

    A sync that had reached its last step is completed instead. Every command that writes does this first; this command
    does nothing else.
    """
    result = session.project().recover()
    return Answer(result, lines=_lines(result))


def _lines(result: RecoverResult) -> Iterator[Line]:
    recovered = result.recovered
    if recovered is None:
        yield "nothing was interrupted"
        return
    yield "completed the interrupted sync" if recovered.finished else "undid the interrupted sync"
    yield from listed("restored ", recovered.restored)
    for edit in recovered.kept:
        yield f"kept your edit of {printable_line(edit.path)}: {printable_line(edit.place)}"


VERB = Verb(
    "recover",
    recover,
    document="documents_out.files.recover_document",
    section=Section.REPAIR,
    examples=("agent-sync recover",),
)
