"""agent-sync sync"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent_sync.cli.options import PolicyFile, reject_conflicting
from agent_sync.cli.report import action_fields, action_lines, diff_fields, diff_lines, edited_orphan_lines
from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.text import Line, Style, Styled, counted, listed
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.operations.sync import SyncResult

_MOST_NAMED = 10  # the same list stands under each sync until they are pruned


def sync(
    session: Session,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, with diffs; write nothing.")
    ] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="An error if the lock does not record what the configuration makes.")
    ] = False,
    frozen: Annotated[bool, typer.Option("--frozen", help="The lock alone: the configuration is not read.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also remove what is declared no more.")] = False,
    policy: PolicyFile = None,
) -> Answer:
    """Make the project's files exactly what the lock says.

    Everything is verified before the first file is written, and either all files are written or none. A file that was
    edited here is replaced, but the edit is kept: restore brings it back. Where a policy requires signatures, only a
    lock is synced that lies in a signed bundle which was pulled, or signed, here.
    """
    reject_conflicting(locked=locked, frozen=frozen)
    result = session.project(policy=policy).sync(dry_run=dry_run, locked=locked, frozen=frozen, prune=prune)
    return Answer(_fields(result), lines=_lines(result, verbose=session.options.verbose))


def _lines(result: SyncResult, *, verbose: bool) -> Iterator[Line]:
    if verbose or result.dry_run:
        yield from action_lines(result.plan.actions)
    yield from diff_lines(result.diffs)
    yield _summary(result)
    for edit in () if result.applied is None else result.applied.kept:
        path = printable_line(edit.path)
        yield (
            Styled("kept your edit", Style.WARNING),
            f" of {path}; to have it back: agent-sync restore {shlex.quote(path)}",
        )
    yield from _left(result, verbose=verbose)


def _summary(result: SyncResult) -> Line:
    """`wrote 2 files, removed 1; 240 were right already`."""
    write, remove = ("would write", "would remove") if result.dry_run else ("wrote", "removed")
    done = [f"{write} {counted(len(result.written), 'file')}"] if result.written else []
    done += [f"{remove} {counted(len(result.removed), 'file')}"] if result.removed else []
    right = f"{counted(len(result.unchanged), 'file')} {'is' if len(result.unchanged) == 1 else 'are'} as locked"
    return f"{', '.join(done) or 'nothing to do'}; {right}" if result.unchanged or not done else ", ".join(done)


def _left(result: SyncResult, *, verbose: bool) -> Iterator[Line]:
    if result.orphans:
        yield "declared no more; agent-sync prune removes them:"
        named = result.orphans if verbose else result.orphans[:_MOST_NAMED]
        yield from listed("  ", named)
        if len(named) < len(result.orphans):
            yield f"  and {len(result.orphans) - len(named)} more, which --verbose names"
    yield from edited_orphan_lines(result.plan.kept_back)


def _fields(result: SyncResult) -> dict[str, object]:
    kept = () if result.applied is None else result.applied.kept
    return {
        "dry_run": result.dry_run,
        "actions": action_fields(result.plan.actions),
        "unchanged": len(result.unchanged),
        "kept": [{"path": edit.path, "place": edit.place} for edit in kept],
        "kept_back": result.plan.kept_back,
        "orphans": result.orphans,
        "diffs": diff_fields(result.diffs),
    }


VERB = Verb(
    "sync",
    sync,
    fields={
        "dry_run": "whether nothing was to be written",
        "actions": "what was, or would be, done: `step` (create, replace, remove), `path`, `source`, and whether the"
        " file was `edited` here",
        "unchanged": "how many files were right already",
        "kept": "the edits that were kept: the `path` they had, the `place` where they lie",
        "kept_back": "files that are declared no more and were edited: neither `sync --prune` nor `prune` removes them",
        "orphans": "other files that are declared no more and were left where they are",
        "diffs": "of a dry run, the unified diff of each change: `path`, `text`",
    },
    examples=(
        "agent-sync sync --dry-run",
        "agent-sync sync --locked --no-inherit",
        "agent-sync sync --offline --prune",
    ),
    repeatable=lambda values: not values["dry_run"],
)
