"""Lines for parts of results that several commands show: lock differences, diffs, actions, verdicts, and Nix paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agent_sync.cli.text import Line, Piece, Style, Styled, align, listed
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.lock.difference import LockDifference, SourceChange
    from agent_sync.operations.nix import NixPath
    from agent_sync.plan.actions import Action
    from agent_sync.plan.preview import FileDiff
    from agent_sync.tree import Change, RelPath
    from agent_sync_oci.trust.verdict import Verdict

_STEP_STYLES = {"create": Style.ADDED, "replace": Style.CHANGED, "remove": Style.REMOVED}
_SIGN_STYLES = {"+": Style.ADDED, "~": Style.CHANGED, "-": Style.REMOVED}


def difference_lines(difference: LockDifference, *, files: bool) -> Iterator[Line]:
    """Yield a row for each source that changes and one for the outputs; with `files`, also every path below them."""
    if not files:
        yield from align([*map(_source_row, difference.sources), *_outputs_row(difference)])
        return
    for change in difference.sources:
        yield from align([_source_row(change)])
        yield from _path_lines(change.files)
        yield from _path_lines(change.transformed, " (transformed)")
    yield from align([*_outputs_row(difference)])
    yield from _path_lines(difference.outputs)


def action_lines(actions: Iterable[Action]) -> Iterator[Line]:
    """Yield `replace .cursor/rules/a.md (base-rules)` for each action."""
    for action in actions:
        step = action.step.value
        edited = ", edited here: the edit is kept" if action.edited else ""
        detail = f" {printable_line(action.path)} ({printable_line(action.source)}{edited})"
        yield (Styled(f"{step:<7}", _STEP_STYLES[step]), detail)


def edited_orphan_lines(paths: Sequence[RelPath], prune: str) -> Iterator[Line]:
    """Yield what to do with files that are no longer declared and were edited, which `prune` leaves to their owner."""
    if paths:
        yield f"no longer declared, but edited: delete or move them, then run {prune}:"
        yield from listed("  ", paths)


def diff_lines(diffs: Iterable[FileDiff]) -> Iterator[Line]:
    """Yield every line of every diff."""
    for diff in diffs:
        in_body = False
        for line in diff.text.removesuffix("\n").split("\n") if diff.text else ():
            in_body = in_body or line.startswith("@@")
            yield _diff_line(line, in_body=in_body)


def verdict_lines(verdict: Verdict) -> Iterator[Line]:
    """Yield each rule with what became of it, and every other reason not to use the bundle."""
    for each in verdict.rules:
        satisfied = Styled("satisfied", Style.ADDED) if each.satisfied else Styled("not satisfied", Style.ERROR)
        yield (satisfied, f"  rule {each.rule.bundle}: {len(each.signers)} of {each.rule.threshold} signers")
        yield from listed("  signed by ", map(str, each.signers))
        yield from listed("  does not count: ", each.passed_over)
    if not verdict.rules:
        yield "no policy rule matches this name; signatures not checked"
    yield from ((Styled("refused", Style.ERROR), f"  {each}") for each in verdict.refusals)


def nix_path_lines(paths: Iterable[NixPath]) -> Iterator[Line]:
    """Yield each store path with what it holds."""
    return (f"{each.path}  {printable_line(each.what)}" for each in paths)


def _diff_line(line: str, *, in_body: bool) -> Line:
    if not in_body:
        return (Styled(line, Style.STRONG),)
    style = {"+": Style.ADDED, "-": Style.REMOVED, "@": Style.PLACE}.get(line[:1])
    return line if style is None else (Styled(line, style),)


def _source_row(change: SourceChange) -> tuple[Piece, ...]:
    return (change.name, _pins(change.before, change.after), _counts((*change.files, *change.transformed)))


def _pins(before: str | None, after: str | None) -> str:
    if before is None:
        return f"new: {after}"
    if after is None:
        return f"removed, was {before}"
    return after if before == after else f"{before} -> {after}"


def _outputs_row(difference: LockDifference) -> Iterator[tuple[Piece, ...]]:
    if difference.outputs:
        yield ("", "outputs", _counts(difference.outputs))


def _counts(changes: Sequence[Change]) -> str:
    """Return `+2 ~5 -1`, without zeros."""
    numbers = {sign: sum(_sign(change) == sign for change in changes) for sign in _SIGN_STYLES}
    return " ".join(f"{sign}{number}" for sign, number in numbers.items() if number) or "same files"


def _sign(change: Change) -> str:
    return "+" if change.before is None else "-" if change.after is None else "~"


def _path_lines(changes: Iterable[Change], why: str = "") -> Iterator[Line]:
    for change in changes:
        sign = _sign(change)
        yield ("  ", Styled(f"{sign} {printable_line(change.path)}", _SIGN_STYLES[sign]), why)
