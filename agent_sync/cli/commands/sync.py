"""agent-sync sync"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.options import PolicyFile, reject_conflicting
from agent_sync.cli.report import Line, Style, Styled, action_lines, counted, diff_lines, edited_orphan_lines, listed
from agent_sync.cli.run import Answer, Section, Session, Verb
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.sync import SyncResult

_MOST_NAMED = 10  # the same list follows every sync until the files are pruned


def sync(
    session: Session,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, with diffs; write nothing.")
    ] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="Fail if the lock does not record what the configuration produces.")
    ] = False,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Use the lock alone; do not read the configuration.")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also delete files that are no longer declared.")] = False,
    policy: PolicyFile = None,
) -> Answer:
    """Write the files recorded in the lock.

    Everything is verified before the first file is written, and either all files are written or none. An edited file is
    replaced, but the edit is kept; `agent-sync restore` brings it back. Where a policy requires signatures, the lock
    must be in a signed bundle that was pulled or signed here.
    """
    reject_conflicting(locked=locked, frozen=frozen)
    result = session.project(policy=policy).sync(dry_run=dry_run, locked=locked, frozen=frozen, prune=prune)
    return Answer(result, lines=_lines(result, session))


def _lines(result: SyncResult, session: Session) -> Iterator[Line]:
    verbose = session.options.verbose
    if verbose or result.dry_run:
        yield from action_lines(result.plan.actions)
    yield from diff_lines(result.diffs)
    yield _summary(result)
    for edit in () if result.applied is None else result.applied.kept:
        step = session.step(f"agent-sync restore {shlex.quote(printable_line(edit.path))}")
        yield (Styled("kept your edit", Style.WARNING), f" of {printable_line(edit.path)}; to bring it back: {step}")
    yield from _left(result, session, verbose=verbose)


def _summary(result: SyncResult) -> Line:
    """Return `wrote 2 files, deleted 1 file; 240 files up to date`."""
    write, remove = ("would write", "would delete") if result.dry_run else ("wrote", "deleted")
    done = [f"{write} {counted(len(result.written), 'file')}"] if result.written else []
    done += [f"{remove} {counted(len(result.removed), 'file')}"] if result.removed else []
    unchanged = counted(len(result.unchanged), "file")
    if not done:
        return f"up to date ({unchanged})"
    return f"{', '.join(done)}; {unchanged} up to date" if result.unchanged else ", ".join(done)


def _left(result: SyncResult, session: Session, *, verbose: bool) -> Iterator[Line]:
    if result.orphans:
        yield f"no longer declared (run {session.step('agent-sync prune')} to delete):"
        named = result.orphans if verbose else result.orphans[:_MOST_NAMED]
        yield from listed("  ", named)
        if len(named) < len(result.orphans):
            yield f"  and {len(result.orphans) - len(named)} more (--verbose lists them)"
    yield from edited_orphan_lines(result.plan.kept_back, session.step("agent-sync prune"))


VERB = Verb(
    "sync",
    sync,
    document="documents_out.files.sync_document",
    section=Section.EVERYDAY,
    examples=(
        "agent-sync sync --dry-run",
        "agent-sync sync --locked --no-inherit",
        "agent-sync sync --offline --prune",
    ),
    repeatable=lambda values: not values["dry_run"],
)
