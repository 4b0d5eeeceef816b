"""agent-sync init"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.report import Line, listed
from agent_sync.cli.run import Answer, Section, Session, Verb

if TYPE_CHECKING:
    from agent_sync.operations.init import InitResult


def init(session: Session) -> Answer:
    """Write a commented agent-sync.yaml for the tools found here.

    A tool is found if its directory exists; if none is found, the configuration is for claude-code. The first source is
    the directory agents/, which is created with one file unless it exists.
    """
    result = session.project().init()
    return Answer(result, lines=_lines(result, session))


def _lines(result: InitResult, session: Session) -> Iterator[Line]:
    yield from listed("wrote ", result.written)
    found = "found here" if result.found else "no tool was found here"
    yield f"tools: {', '.join(result.tools)} ({found})"
    yield f"next: {session.step('agent-sync update')}, then {session.step('agent-sync sync')}"


VERB = Verb(
    "init",
    init,
    document="documents_out.machine.init_document",
    section=Section.EVERYDAY,
    examples=("agent-sync init",),
)
