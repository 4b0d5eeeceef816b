"""agent-sync prune"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import action_fields, action_lines, difference_fields, difference_lines, edited_orphan_lines
from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, counted

if TYPE_CHECKING:
    from agent_sync.operations.prune import PruneResult


def prune(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")] = False,
) -> Answer:
    """Remove what was written and is declared no more.

    Its entries in the lock go, too. Only files that still are what was written are removed; one that was edited since
    stays, and is reported.
    """
    result = session.project().prune(dry_run=dry_run)
    return Answer(_fields(result, dry_run=dry_run), lines=_lines(result, dry_run=dry_run))


def _lines(result: PruneResult, *, dry_run: bool) -> Iterator[Line]:
    yield from action_lines(result.removed)
    if not result.difference.same:
        yield from difference_lines(result.difference, files=False)
    yield from edited_orphan_lines(result.kept_back)
    yield _summary(result, dry_run=dry_run)


def _summary(result: PruneResult, *, dry_run: bool) -> Line:
    """`removed 1 file; the lock is written`."""
    lock = "the lock would change" if dry_run else "the lock is written"
    if not result.removed:
        return "nothing to prune" if result.difference.same else f"the files are gone already; {lock}"
    done = f"{'would remove' if dry_run else 'removed'} {counted(len(result.removed), 'file')}"
    return done if result.difference.same else f"{done}; {lock}"


def _fields(result: PruneResult, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "actions": action_fields(result.removed),
        "kept_back": result.kept_back,
        "lock_changes": not result.difference.same,
        **difference_fields(result.difference),
    }


VERB = Verb(
    "prune",
    prune,
    fields={
        "dry_run": "whether nothing was to be removed",
        "actions": "what was, or would be, removed: `step`, `path`, `source`, `edited`",
        "kept_back": "files that stay, because they were edited",
        "lock_changes": "whether the lock changes",
        "sources": "what changes in the lock by source, as in `update`",
        "outputs": "the output files that the lock lists no more, as in `update`",
    },
    examples=("agent-sync prune --dry-run", "agent-sync prune"),
)
