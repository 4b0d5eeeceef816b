"""agent-sync verify"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.cli.documents import failures_fields
from agent_sync.cli.options import Names
from agent_sync.cli.run import DONE, FOUND, Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, align, counted
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.verify import SourceDelta, VerifyResult


def verify(session: Session, names: Names = None) -> Answer:
    """Ask upstream whether it has moved since the lock was made.

    The exit code is 1 if it has. Neither the lock nor a file is touched.
    """
    result = session.project().verify(names or ())
    failure = result.failure
    found = FOUND if result.changed else DONE
    return Answer(_fields(result), lines=_lines(result), failure=failure, code=None if failure else found)


def _lines(result: VerifyResult) -> Iterator[Line]:
    changed = [(Styled("changed", Style.CHANGED), each.name, _versions(each)) for each in result.changed]
    failed = [(Styled("failed", Style.ERROR), name, "could not be asked") for name in result.failures]
    yield from align([*changed, *failed])
    if result.up_to_date:
        names = ", ".join(map(printable_line, result.up_to_date))
        yield f"{counted(len(result.up_to_date), 'source')} as locked: {names}"
    if any(each.type == "url" for each in result.changed):
        yield "of a url: look at what it serves, put its sha256 under `checksum:`, then agent-sync update"
    if any(each.type != "url" for each in result.changed):
        yield "agent-sync update locks what upstream has now"


def _versions(delta: SourceDelta) -> str:
    return f"{delta.locked}, other content" if delta.locked == delta.upstream else f"{delta.locked} -> {delta.upstream}"


def _fields(result: VerifyResult) -> dict[str, object]:
    return {
        "up_to_date": result.up_to_date,
        "changed": [
            {"name": each.name, "type": each.type, "locked": each.locked, "upstream": each.upstream}
            for each in result.changed
        ],
        "failures": failures_fields(result.failures),
    }


VERB = Verb(
    "verify",
    verify,
    fields={
        "up_to_date": "the sources that upstream has as they are locked",
        "changed": "the others: `name`, `type`, what is `locked`, what is `upstream`",
        "failures": "the error of each source that could not be asked, and its `source`",
    },
    examples=("agent-sync verify", "agent-sync verify base-rules"),
)
