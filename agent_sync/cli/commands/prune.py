"""agent-sync prune"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import Line, action_lines, counted, difference_lines, edited_orphan_lines
from agent_sync.cli.run import Answer, Section, Session, Verb

if TYPE_CHECKING:
    from agent_sync.operations.prune import PruneResult


def prune(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted; delete nothing.")] = False,
) -> Answer:
    """Delete files that are no longer declared.

    Their lock entries are deleted as well. A file that was edited since it was written stays and is reported.
    """
    result = session.project().prune(dry_run=dry_run)
    return Answer(result, lines=_lines(result, session, dry_run=dry_run))


def _lines(result: PruneResult, session: Session, *, dry_run: bool) -> Iterator[Line]:
    yield from action_lines(result.removed)
    if not result.difference.same:
        yield from difference_lines(result.difference, files=False)
    yield from edited_orphan_lines(result.kept_back, session.step("agent-sync prune"))
    yield _summary(result, dry_run=dry_run)


def _summary(result: PruneResult, *, dry_run: bool) -> Line:
    """Return `deleted 1 file; lock updated`."""
    lock = "the lock would change" if dry_run else "lock updated"
    if not result.removed:
        nothing = "no files deleted" if result.kept_back else "nothing to prune"
        return nothing if result.difference.same else f"no files left to delete; {lock}"
    done = f"{'would delete' if dry_run else 'deleted'} {counted(len(result.removed), 'file')}"
    return done if result.difference.same else f"{done}; {lock}"


VERB = Verb(
    "prune",
    prune,
    document="documents_out.files.prune_document",
    section=Section.REPAIR,
    examples=("agent-sync prune --dry-run", "agent-sync prune"),
)
