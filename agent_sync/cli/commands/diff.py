"""agent-sync diff"""

from __future__ import annotations

from typing import Annotated

import typer

from agent_sync.cli.report import diff_lines
from agent_sync.cli.run import DONE, FOUND, Answer, Section, Session, Verb
from agent_sync.documents_out.files import DiffsDocument, diff_document

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="PATH", help="Files and directories of the project.  [default: all]")
]


def diff(session: Session, paths: Paths = None) -> Answer:
    """Show how the files differ from the lock.

    The exit code is 1 if they differ. `-` is what the file has, `+` what sync would write. Control characters are shown
    as \\xNN.
    """
    result = session.project().diff(paths or ())
    return Answer(diff_document(result), lines=diff_lines(result.diffs), code=FOUND if result.diffs else DONE)


VERB = Verb(
    "diff",
    diff,
    document=DiffsDocument,
    section=Section.EVERYDAY,
    examples=("agent-sync diff", "agent-sync diff .cursor/rules/style.md"),
)
