"""agent-sync diff"""

from __future__ import annotations

from typing import Annotated

import typer

from agent_sync.cli.report import diff_lines
from agent_sync.cli.run import DONE, FOUND, Answer, Section, Session, Verb

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="PATH", help="Files and directories of the project.  [default: all]")
]


def diff(session: Session, paths: Paths = None) -> Answer:
    """Show how the files differ from the lock.

    The exit code is 1 if they differ. `-` marks lines of the file, and `+` lines that sync would write. Control
    characters are shown as \\xNN.
    """
    result = session.project().diff(paths or ())
    return Answer(result, lines=diff_lines(result.diffs), code=FOUND if result.diffs else DONE)


VERB = Verb(
    "diff",
    diff,
    document="documents_out.files.diff_document",
    section=Section.EVERYDAY,
    examples=("agent-sync diff", "agent-sync diff .cursor/rules/style.md"),
)
