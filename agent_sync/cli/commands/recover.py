"""agent-sync recover"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, listed
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.apply import Recovered


def recover(session: Session) -> Answer:
    """Undo a sync that was interrupted.

    One that had come to its last step is finished. Every command that writes does this first; this one does nothing
    else.
    """
    recovered = session.project().recover().recovered
    return Answer({"recovered": None if recovered is None else _fields(recovered)}, lines=_lines(recovered))


def _lines(recovered: Recovered | None) -> Iterator[Line]:
    if recovered is None:
        yield "nothing was interrupted"
        return
    yield "the interrupted sync is finished" if recovered.finished else "the interrupted sync is undone"
    yield from listed("as before: ", recovered.restored)
    for edit in recovered.kept:
        yield f"kept an edit of {printable_line(edit.path)}: {printable_line(edit.place)}"


def _fields(recovered: Recovered) -> dict[str, object]:
    return {
        "finished": recovered.finished,
        "restored": recovered.restored,
        "kept": [{"path": edit.path, "place": edit.place} for edit in recovered.kept],
    }


VERB = Verb(
    "recover",
    recover,
    fields={
        "recovered": "null if nothing was interrupted; else whether it was `finished` (or undone), the files `restored`"
        " to what they were, and the edits `kept`: `path`, `place`",
    },
    examples=("agent-sync recover",),
)
