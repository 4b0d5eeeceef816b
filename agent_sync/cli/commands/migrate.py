"""agent-sync migrate"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line

if TYPE_CHECKING:
    from agent_sync.operations.migrate import MigrateResult


def migrate(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
) -> Answer:
    """Bring the lock to the current version of its format.

    It also gets its canonical spelling. Version 1 is the first one, so that no meaning can change yet.
    """
    result = session.project().migrate(dry_run=dry_run)
    fields = {"dry_run": dry_run, "found": result.found, "changed": result.changed}
    return Answer(fields, lines=_lines(result, dry_run=dry_run))


def _lines(result: MigrateResult, *, dry_run: bool) -> Iterator[Line]:
    if not result.found:
        yield "there is no lock, and nothing to migrate"
    elif not result.changed:
        yield "the lock is in the current version: nothing to migrate"
    else:
        yield f"the lock {'would be' if dry_run else 'is'} written anew: same meaning, canonical spelling"


VERB = Verb(
    "migrate",
    migrate,
    fields={
        "dry_run": "whether nothing was to be written",
        "found": "whether there is a lock",
        "changed": "whether it was, or would be, written anew",
    },
    examples=("agent-sync migrate --dry-run",),
)
