"""agent-sync update"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.options import Names
from agent_sync.cli.report import Line, Style, Styled, difference_lines
from agent_sync.cli.run import FOUND, Answer, Section, Session, Verb
from agent_sync.errors import UsageError
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.update import UpdateResult

_INHERITED_LOCK = ".agent-sync/inherited.lock"


def update(
    session: Session,
    names: Names = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; do not write the lock.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the lock without asking.")] = False,
    inherited: Annotated[
        bool, typer.Option("--inherited", help="Update only sources of the user's and the system's configuration.")
    ] = False,
) -> Answer:
    """Fetch the newest versions and update the lock.

    The changes are shown first, and the lock is written once you confirm them. A source that fails keeps its lock
    entry; the others are updated. If you give names, all other sources keep their entries, even those that are no
    longer declared. Without a terminal, --yes is required.
    """
    project = session.project()
    confirmation = _Confirmation(session, project.lock_file.label)
    confirm = None if yes else confirmation
    result = project.update(names or (), inherited=inherited, dry_run=dry_run, confirm=confirm)
    return Answer(
        result,
        lines=[
            *([] if confirmation.asked else confirmation.changes(result)),
            *_outcome(result, confirmation, dry_run=dry_run),
        ],
        failure=result.failure,
        code=FOUND if confirmation.declined else None,
    )


class _Confirmation:
    """The confirmation: shows the changes, and asks."""

    def __init__(self, session: Session, lock: str) -> None:
        self.lock = lock
        self.asked = False
        self.declined = False
        self._session = session

    def __call__(self, result: UpdateResult) -> bool:
        self.asked = True
        self._session.show(self.changes(result))
        answer = self._session.ask(f"Write {self.changed_files(result)}? [y/N] ")
        if answer is None:
            raise UsageError(
                subject=self.lock,
                check="changes need confirmation; rerun with --yes",
                remedy="review the changes with --dry-run, then rerun with --yes",
            )
        self.declined = answer.lower() not in ("y", "yes")
        return not self.declined

    def changes(self, result: UpdateResult) -> Iterator[Line]:
        """Yield what the update changes."""
        files = self._session.options.verbose
        if result.worth_writing and not result.difference.same:
            nothing = "only the formatting changes" if result.before else "new and empty"
            yield from _titled(self.lock, list(difference_lines(result.difference, files=files)), nothing)
        if result.worth_writing and not result.inherited_difference.same:
            yield from _titled(_INHERITED_LOCK, list(difference_lines(result.inherited_difference, files=files)))
        for name in result.failures:
            locked = result.before is not None and result.before.source(name) is not None
            entry = "lock entry unchanged" if locked else "never locked"
            yield (printable_line(name), "  ", Styled("failed", Style.ERROR), f"; {entry}")

    def changed_files(self, result: UpdateResult) -> str:
        """Return the names of the lock files that change."""
        changed = [] if result.difference.same else [self.lock]
        changed += [] if result.inherited_difference.same else [_INHERITED_LOCK]
        return " and ".join(printable_line(each) for each in changed)


def _titled(lock: str, lines: list[Line], nothing: str = "only the formatting changes") -> Iterator[Line]:
    """Yield the lines below the name of the lock, or beside the name what it means that there are none."""
    yield (Styled(printable_line(lock), Style.STRONG), *(() if lines else (f": {nothing}",)))
    yield from (("  ", *(line if isinstance(line, tuple) else (line,))) for line in lines)


def _outcome(result: UpdateResult, confirmation: _Confirmation, *, dry_run: bool) -> Iterator[Line]:
    if result.written:
        yield f"wrote {confirmation.changed_files(result)}"
    elif confirmation.declined:
        yield "declined: nothing was written"
    elif dry_run and result.worth_writing:
        yield f"dry run: {confirmation.changed_files(result)} not written"
    elif not result.failures:
        yield f"{printable_line(confirmation.lock)} is up to date"


VERB = Verb(
    "update",
    update,
    document="documents_out.sources.update_document",
    section=Section.EVERYDAY,
    examples=("agent-sync update --dry-run", "agent-sync update base-rules", "agent-sync update --yes"),
)
