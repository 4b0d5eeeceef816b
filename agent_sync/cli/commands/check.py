"""agent-sync check"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import Line, Style, Styled, counted
from agent_sync.cli.run import DONE, FOUND, Answer, Section, Session, Verb
from agent_sync.errors import BytesUnavailable
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.check import CheckResult
    from agent_sync.tree import RelPath


def check(
    session: Session,
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count foreign files in shared directories as drift.")
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Trust earlier hashes of files that look untouched.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also verify the cached copy of everything that is locked.")
    ] = False,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Use the lock alone; do not read the configuration.")
    ] = False,
) -> Answer:
    """Compare the project's files with the lock.

    The exit code is 1 if they differ. The report names changed, missing, and orphaned files, and unexpected files in
    directories that only agent-sync fills. With --deep, content that is not cached cannot be verified and causes a
    warning; with --strict as well, the exit code is then 9.
    """
    result = session.project().check(strict=strict, fast=fast, deep=deep, frozen=frozen)
    return Answer(result, lines=_lines(result, session), code=_code(result))


def _code(result: CheckResult) -> int:
    if not result.clean:
        return FOUND
    return BytesUnavailable.exit_code if result.strict and result.unverified else DONE


def _lines(result: CheckResult, session: Session) -> Iterator[Line]:
    drift = result.drift
    foreign = Style.REMOVED if result.strict else Style.FAINT
    for word, style, paths in (
        ("changed", Style.CHANGED, drift.changed),
        ("missing", Style.REMOVED, drift.missing),
        ("orphaned", Style.REMOVED, drift.orphaned),
        ("unexpected", Style.REMOVED, drift.unexpected),
        ("foreign", foreign, drift.foreign),
    ):
        for path in paths:
            yield (Styled(f"{word:<10}", style), f" {printable_line(path)}{_notes(path, result)}")
    yield _summary(result)
    if not result.clean:
        yield from _next_steps(result, session)


def _notes(path: RelPath, result: CheckResult) -> str:
    """Return ` (team-rules, edited)`."""
    notes = [printable_line(result.sources[path])] if path in result.sources else []
    notes += ["edited"] if path in result.edited else []
    return f" ({', '.join(notes)})" if notes else ""


def _summary(result: CheckResult) -> Line:
    drift = result.drift
    checked = counted(result.files, "file")
    unverified = f"; {len(result.unverified)} not verified" if result.unverified else ""
    if result.clean:
        foreign = f"; {counted(len(drift.foreign), 'foreign file')} in shared directories" if drift.foreign else ""
        return f"{checked} checked, no drift{foreign}{unverified}"
    found = {
        "changed": drift.changed,
        "missing": drift.missing,
        "orphaned": drift.orphaned,
        "unexpected": drift.unexpected,
        "foreign": drift.foreign if result.strict else (),
    }
    counts = ", ".join(f"{len(paths)} {word}" for word, paths in found.items() if paths)
    return f"{checked} checked: {counts}{unverified}"


def _next_steps(result: CheckResult, session: Session) -> Iterator[Line]:
    drift = result.drift
    prune = session.step("agent-sync prune")
    if drift.changed or drift.missing:
        yield f"to see the changes: {session.step('agent-sync diff')}"
        yield f"to write the locked files: {session.step('agent-sync sync')}"
    if drift.unexpected:
        yield "move unexpected files, or set `shared: true` on the target"
    if len(drift.orphaned) > len(result.edited):
        yield f"to delete files that are no longer declared: {prune}"
    if result.edited:
        yield f"edited files are not pruned: delete or move them, then {prune}"


VERB = Verb(
    "check",
    check,
    document="documents_out.files.check_document",
    section=Section.EVERYDAY,
    examples=("agent-sync check", "agent-sync check --strict --no-inherit"),
    repeatable=lambda values: not values["deep"],
)
