"""agent-sync update"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.documents import failures_fields
from agent_sync.cli.options import Names
from agent_sync.cli.report import difference_fields, difference_lines
from agent_sync.cli.run import FOUND, Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled
from agent_sync.errors import UsageError
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.update import UpdateResult

_INHERITED_LOCK = ".agent-sync/inherited.lock"


def update(
    session: Session,
    names: Names = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write no lock.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the lock without asking.")] = False,
    inherited: Annotated[
        bool, typer.Option("--inherited", help="Only the sources of the user's and the system's configuration.")
    ] = False,
) -> Answer:
    """Resolve sources upstream, and write the lock that says so.

    What changes in the lock is shown first, and written when it is confirmed. A source that fails keeps its entry; the
    others are written. With names all other sources keep theirs, also those that are declared no more. Without a
    terminal --yes is needed.
    """
    project = session.project()
    question = _Confirmation(session, project.lock_file.label, yes=yes)
    result = project.update(names or (), inherited=inherited, dry_run=dry_run, confirm=question)
    return Answer(
        _fields(result, dry_run=dry_run),
        lines=[*([] if question.put else question.shown(result)), *_outcome(result, question, dry_run=dry_run)],
        failure=result.failure,
        code=FOUND if question.declined else None,
    )


class _Confirmation:
    """The confirmation: shows what changes, and asks unless `--yes` has answered already."""

    def __init__(self, session: Session, lock: str, *, yes: bool) -> None:
        self.lock = lock
        self.put = False
        self.declined = False
        self._session = session
        self._yes = yes

    def __call__(self, result: UpdateResult) -> bool:
        self.put = True
        self._session.show(self.shown(result))
        if self._yes:
            return True
        answer = self._session.ask(f"Write {self.written(result)}? [y/N] ")
        if answer is None:
            raise UsageError(
                subject=self.lock,
                check="there are changes to confirm, and nobody can be asked; nothing was written",
                remedy="look at them with --dry-run, then add --yes",
            )
        self.declined = answer.lower() not in ("y", "yes")
        return not self.declined

    def shown(self, result: UpdateResult) -> Iterator[Line]:
        """What the update changes."""
        files = self._session.options.verbose
        if result.worth_writing and not result.difference.same:
            nothing = "written differently, means the same" if result.before else "new, with nothing in it"
            yield from _titled(self.lock, list(difference_lines(result.difference, files=files)), nothing)
        if result.worth_writing and not result.inherited_difference.same:
            yield from _titled(_INHERITED_LOCK, list(difference_lines(result.inherited_difference, files=files)))
        for name in result.failures:
            yield (printable_line(name), "  ", Styled("failed", Style.ERROR), ", stays as it is locked")

    def written(self, result: UpdateResult) -> str:
        """The names of the files that change."""
        changed = [] if result.difference.same else [self.lock]
        changed += [] if result.inherited_difference.same else [_INHERITED_LOCK]
        return " and ".join(printable_line(each) for each in changed)


def _titled(lock: str, lines: list[Line], nothing: str = "written differently, means the same") -> Iterator[Line]:
    """The lines below the name of the lock; if there are none, what that means."""
    yield (Styled(printable_line(lock), Style.STRONG), *(() if lines else (f": {nothing}",)))
    yield from (("  ", *(line if isinstance(line, tuple) else (line,))) for line in lines)


def _outcome(result: UpdateResult, question: _Confirmation, *, dry_run: bool) -> Iterator[Line]:
    if result.written:
        yield f"wrote {question.written(result)}"
    elif question.declined:
        yield "declined: nothing was written"
    elif dry_run and result.worth_writing:
        yield f"dry run: {question.written(result)} not written"
    elif not result.failures:
        yield f"{printable_line(question.lock)} is up to date"


def _fields(result: UpdateResult, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "requested": result.requested,
        "changes": result.changes,
        "written": result.written,
        **difference_fields(result.difference),
        "inherited": difference_fields(result.inherited_difference),
        "failures": failures_fields(result.failures),
    }


VERB = Verb(
    "update",
    update,
    fields={
        "dry_run": "whether nothing was to be written",
        "requested": "the sources that were resolved",
        "changes": "whether the lock differs from what upstream has",
        "written": "whether a lock was written",
        "sources": "what changes by source: `name`, the pin `before` and `after` (null: none), and `files` and"
        " `transformed`, each with the paths `added`, `changed`, `removed`",
        "outputs": "the output files `added`, `changed`, `removed`",
        "inherited": "`sources` and `outputs` of `.agent-sync/inherited.lock`",
        "failures": "the error of each source that failed, and its `source`",
    },
    examples=("agent-sync update --dry-run", "agent-sync update base-rules", "agent-sync update --yes"),
)
