"""agent-sync migrate"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.report import Line
from agent_sync.cli.run import Answer, Section, Session, Verb

if TYPE_CHECKING:
    from agent_sync.operations.migrate import MigrateResult


def migrate(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
) -> Answer:
    """Upgrade the lock file format.

    The lock file is also put into its canonical form. Version 1 is the first version, so nothing needs conversion yet.
    """
    result = session.project().migrate(dry_run=dry_run)
    return Answer(result, lines=_lines(result, dry_run=dry_run))


def _lines(result: MigrateResult, *, dry_run: bool) -> Iterator[Line]:
    if not result.found:
        yield "no lock file: nothing to migrate"
    elif not result.changed:
        yield "the lock file is in the current format: nothing to migrate"
    else:
        yield f"{'would rewrite' if dry_run else 'rewrote'} the lock file: same meaning, canonical form"


VERB = Verb(
    "migrate",
    migrate,
    document="documents_out.sources.migrate_document",
    section=Section.REPAIR,
    examples=("agent-sync migrate --dry-run",),
)
