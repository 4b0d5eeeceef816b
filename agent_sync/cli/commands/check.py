"""agent-sync check"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.run import DONE, FOUND, Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, counted
from agent_sync.errors import BytesUnavailable
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.check import CheckResult
    from agent_sync.tree import RelPath


def check(
    session: Session,
    *,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Foreign files in directories that a tool shares with its user are drift, too."),
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Trust what was hashed before where nothing looks touched.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also verify the store's copy of everything that is locked.")
    ] = False,
    frozen: Annotated[bool, typer.Option("--frozen", help="The lock alone: the configuration is not read.")] = False,
) -> Answer:
    """Compare the project's files with the lock.

    The exit code is 1 if they differ. Reported are changed, missing and orphaned files, and unexpected ones in
    directories that only agent-sync fills. What --deep cannot verify, because the store does not have it, is a warning;
    with --strict the exit code is 9 then.
    """
    result = session.project().check(strict=strict, fast=fast, deep=deep, frozen=frozen)
    return Answer(_fields(result), lines=_lines(result), code=_code(result))


def _code(result: CheckResult) -> int:
    if not result.clean:
        return FOUND
    return BytesUnavailable.exit_code if result.strict and result.unverified else DONE


def _lines(result: CheckResult) -> Iterator[Line]:
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
    yield from _summary(result)


def _notes(path: RelPath, result: CheckResult) -> str:
    """` (team-rules, edited)`."""
    notes = [printable_line(result.sources[path])] if path in result.sources else []
    notes += ["edited"] if path in result.edited else []
    return f" ({', '.join(notes)})" if notes else ""


def _summary(result: CheckResult) -> Iterator[Line]:
    drift = result.drift
    checked = counted(result.files, "file")
    unverified = f"; {len(result.unverified)} not verified in the store" if result.unverified else ""
    if result.clean:
        foreign = f"; {counted(len(drift.foreign), 'foreign file')} in shared directories" if drift.foreign else ""
        yield f"{checked} checked, no drift{foreign}{unverified}"
        return
    found = {
        "changed": drift.changed,
        "missing": drift.missing,
        "orphaned": drift.orphaned,
        "unexpected": drift.unexpected,
        "foreign": drift.foreign if result.strict else (),
    }
    counts = ", ".join(f"{len(paths)} {word}" for word, paths in found.items() if paths)
    yield f"{checked} checked: {counts}{unverified}"
    if drift.changed or drift.missing:
        yield "agent-sync diff shows what changed, agent-sync sync writes what the lock says"
    if drift.unexpected:
        yield "what is unexpected is yours to move away, or to allow with `shared: true` on the target"
    if len(drift.orphaned) > len(result.edited):
        yield "agent-sync prune removes what is declared no more"
    if result.edited:
        yield "what was edited prune leaves: delete it or move it away, then agent-sync prune"


def _fields(result: CheckResult) -> dict[str, object]:
    def owned(paths: tuple[RelPath, ...]) -> list[dict[str, str]]:
        return [{"path": path, "source": result.sources[path]} for path in paths]

    return {
        "clean": result.clean,
        "strict": result.strict,
        "files": result.files,
        "changed": owned(result.drift.changed),
        "missing": owned(result.drift.missing),
        "orphaned": [{**each, "edited": each["path"] in result.edited} for each in owned(result.drift.orphaned)],
        "unexpected": result.drift.unexpected,
        "foreign": result.drift.foreign,
        "unverified": result.unverified,
    }


VERB = Verb(
    "check",
    check,
    fields={
        "clean": "whether there is no drift",
        "strict": "whether foreign files count",
        "files": "how many files were compared",
        "changed": "files that are not what the lock says: `path`, `source`",
        "missing": "files that are not there: `path`, `source`",
        "orphaned": "files of an earlier lock that are still there: `path`, `source`, and whether they were `edited`:"
        " `prune` leaves such files",
        "unexpected": "files that nothing declares, in directories that only agent-sync fills",
        "foreign": "files that nothing declares, in directories that are shared",
        "unverified": "with `--deep`, what could not be verified, because its bytes are not in the store",
    },
    examples=("agent-sync check", "agent-sync check --strict --no-inherit"),
    repeatable=lambda values: not values["deep"],
)
