"""agent-sync check"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.answer import Answer, Verb
from agent_sync.cli.escaping import printable_line
from agent_sync.cli.exit_codes import DONE, FOUND
from agent_sync.cli.lines import Line, Style, Styled, counted
from agent_sync.cli.session import Session

if TYPE_CHECKING:
    from agent_sync.operations.check import CheckResult
    from agent_sync.tree import RelPath


def check(
    session: Session,
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Foreign files in folders that a tool shares with its user are drift, too.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Trust what was hashed before where nothing looks touched.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also verify the store's copy of everything that is locked.")
    ] = False,
) -> Answer:
    """Compare the project's files with the lock.

    The exit code is 1 if they differ. Reported are changed, missing and orphaned files, and unexpected ones in folders
    that only agent-sync fills.
    """
    result = session.project().check(strict=strict, fast=fast, deep=deep)
    return Answer(_fields(result), lines=_lines(result), code=DONE if result.clean else FOUND)


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
            owner = f" ({printable_line(result.sources[path])})" if path in result.sources else ""
            yield (Styled(f"{word:<10}", style), f" {printable_line(path)}{owner}")
    yield from _summary(result)


def _summary(result: CheckResult) -> Iterator[Line]:
    drift = result.drift
    checked = counted(result.files, "file")
    if result.clean:
        foreign = f"; {counted(len(drift.foreign), 'foreign file')} in shared folders" if drift.foreign else ""
        yield f"{checked} checked, no drift{foreign}"
        return
    found = {
        "changed": drift.changed,
        "missing": drift.missing,
        "orphaned": drift.orphaned,
        "unexpected": drift.unexpected,
        "foreign": drift.foreign if result.strict else (),
    }
    yield f"{checked} checked: {', '.join(f'{len(paths)} {word}' for word, paths in found.items() if paths)}"
    if drift.changed or drift.missing:
        yield "agent-sync diff shows what changed, agent-sync sync writes what the lock says"
    if drift.orphaned:
        yield "agent-sync prune removes what is declared no more"


def _fields(result: CheckResult) -> dict[str, object]:
    def owned(paths: tuple[RelPath, ...]) -> list[dict[str, str]]:
        return [{"path": path, "source": result.sources[path]} for path in paths]

    return {
        "clean": result.clean,
        "strict": result.strict,
        "files": result.files,
        "changed": owned(result.drift.changed),
        "missing": owned(result.drift.missing),
        "orphaned": owned(result.drift.orphaned),
        "unexpected": result.drift.unexpected,
        "foreign": result.drift.foreign,
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
        "orphaned": "files of an earlier lock that are still there: `path`, `source`",
        "unexpected": "files that nothing declares, in folders that only agent-sync fills",
        "foreign": "files that nothing declares, in folders that are shared",
    },
    examples=("agent-sync check", "agent-sync check --strict --no-inherit"),
    repeatable=lambda values: not values["deep"],
)
