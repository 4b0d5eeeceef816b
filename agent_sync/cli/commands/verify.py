"""agent-sync verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.options import Names
from agent_sync.cli.report import Line, Style, Styled, align, counted
from agent_sync.cli.run import DONE, FOUND, Answer, Section, Session, Verb
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.verify import SourceDelta, VerifyResult


def verify(session: Session, names: Names = None) -> Answer:
    """Check whether newer versions are available.

    The exit code is 1 if there are newer versions. The lock and the files do not change.
    """
    result = session.project().verify(names or ())
    found = FOUND if result.changed else DONE
    return Answer(
        result,
        lines=_lines(result, session),
        failure=result.failure,
        code=None if result.failure else found,
    )


def _lines(result: VerifyResult, session: Session) -> Iterator[Line]:
    changed = [(Styled("changed", Style.CHANGED), each.name, _versions(each)) for each in result.changed]
    failed = [(Styled("failed", Style.ERROR), name, "could not be checked") for name in result.failures]
    yield from align([*changed, *failed])
    if result.up_to_date:
        names = ", ".join(map(printable_line, result.up_to_date))
        yield f"{counted(len(result.up_to_date), 'source')} up to date: {names}"
    update = session.step("agent-sync update")
    for remedy in dict.fromkeys(each.remedy for each in result.changed):
        yield f"to lock the newer versions: {update}" if remedy is None else f"{remedy}, then {update}"


def _versions(delta: SourceDelta) -> str:
    return f"{delta.locked}, new content" if delta.locked == delta.upstream else f"{delta.locked} -> {delta.upstream}"


VERB = Verb(
    "verify",
    verify,
    document="documents_out.sources.verify_document",
    section=Section.EVERYDAY,
    examples=("agent-sync verify", "agent-sync verify base-rules"),
)
