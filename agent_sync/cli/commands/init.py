"""agent-sync init"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, listed

if TYPE_CHECKING:
    from agent_sync.operations.init import InitResult


def init(session: Session) -> Answer:
    """Write a commented agent-sync.yaml for the tools used here.

    A tool is used here if its directory is there; if none is, the file is for claude-code. The first source is the
    directory agents/, which is made with one file in it unless it exists.
    """
    result = session.project().init()
    fields = {"written": result.written, "tools": result.tools, "tools_found": result.found}
    return Answer(fields, lines=_lines(result))


def _lines(result: InitResult) -> Iterator[Line]:
    yield from listed("wrote ", result.written)
    found = "found here" if result.found else "none was found here"
    yield f"tools: {', '.join(result.tools)} ({found})"
    yield "next: agent-sync update, then agent-sync sync"


VERB = Verb(
    "init",
    init,
    fields={
        "written": "the files that were written",
        "tools": "the tools that the configuration is for",
        "tools_found": "whether signs of them were found here",
    },
    examples=("agent-sync init",),
)
