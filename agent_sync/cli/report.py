"""Lines for parts of results that several commands show: lock differences, diffs, actions, verdicts, and Nix paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agent_sync.cli.documents import Fields
from agent_sync.cli.text import Line, Piece, Style, Styled, align, listed
from agent_sync_oci.text import printable_line

if TYPE_CHECKING:
    from agent_sync.lock.difference import LockDifference, SourceChange
    from agent_sync.operations.nix import NixPath
    from agent_sync.plan.actions import Action
    from agent_sync.plan.preview import FileDiff
    from agent_sync.tree import Change, RelPath
    from agent_sync_oci.trust.verdict import RuleVerdict, Verdict


# -- Changes of a lock and of files, as lines and as fields.

_STEP_STYLES = {"create": Style.ADDED, "replace": Style.CHANGED, "remove": Style.REMOVED}


def difference_lines(difference: LockDifference, *, files: bool) -> Iterator[Line]:
    """A row for each source that changes and one for the outputs; with `files` also every path below them."""
    if not files:
        yield from align([*map(_source_row, difference.sources), *_outputs_row(difference)])
        return
    for change in difference.sources:
        yield from align([_source_row(change)])
        yield from _path_lines(change.files)
        yield from _path_lines(change.transformed, " (transformed)")
    yield from align([*_outputs_row(difference)])
    yield from _path_lines(difference.outputs)


def difference_fields(difference: LockDifference) -> Fields:
    """What changes, by source."""
    sources = [
        {
            "name": change.name,
            "before": change.before,
            "after": change.after,
            "files": _changes_fields(change.files),
            "transformed": _changes_fields(change.transformed),
        }
        for change in difference.sources
    ]
    return {"sources": sources, "outputs": _changes_fields(difference.outputs)}


def action_lines(actions: Iterable[Action]) -> Iterator[Line]:
    """`replace .cursor/rules/a.md (base-rules)` for each."""
    for action in actions:
        step = action.step.value
        edited = ", edited here: the edit is kept" if action.edited else ""
        style = _STEP_STYLES[step]
        yield (Styled(f"{step:<7}", style), f" {printable_line(action.path)} ({printable_line(action.source)}{edited})")


def action_fields(actions: Iterable[Action]) -> Sequence[Fields]:
    """Each action with its step."""
    return [
        {"step": action.step.value, "path": action.path, "source": action.source, "edited": action.edited}
        for action in actions
    ]


def edited_orphan_lines(paths: Sequence[RelPath]) -> Iterator[Line]:
    """What to do with files that are declared no more, and that nobody but their owner removes."""
    if paths:
        yield "declared no more, but edited: delete them or move them away, then agent-sync prune:"
        yield from listed("  ", paths)


def diff_lines(diffs: Iterable[FileDiff]) -> Iterator[Line]:
    """Every line of every diff."""
    for diff in diffs:
        in_body = False
        for line in diff.text.removesuffix("\n").split("\n") if diff.text else ():
            in_body = in_body or line.startswith("@@")
            yield _diff_line(line, in_body=in_body)


def diff_fields(diffs: Iterable[FileDiff]) -> Sequence[Fields]:
    """Each diff with its path."""
    return [{"path": diff.path, "text": diff.text} for diff in diffs]


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
        return f"gone, was {before}"
    return after if before == after else f"{before} -> {after}"


def _outputs_row(difference: LockDifference) -> Iterator[tuple[Piece, ...]]:
    if difference.outputs:
        yield ("", "outputs", _counts(difference.outputs))


def _counts(changes: Sequence[Change]) -> str:
    """`+2 ~5 -1`, without what is nought."""
    numbers = {sign: sum(_sign(change) == sign for change in changes) for sign in "+~-"}
    return " ".join(f"{sign}{number}" for sign, number in numbers.items() if number) or "same files"


def _sign(change: Change) -> str:
    return "+" if change.before is None else "-" if change.after is None else "~"


def _path_lines(changes: Iterable[Change], why: str = "") -> Iterator[Line]:
    styles = {"+": Style.ADDED, "~": Style.CHANGED, "-": Style.REMOVED}
    for change in changes:
        sign = _sign(change)
        yield ("  ", Styled(f"{sign} {printable_line(change.path)}", styles[sign]), why)


def _changes_fields(changes: Iterable[Change]) -> Fields:
    words = {"+": "added", "~": "changed", "-": "removed"}
    found: dict[str, list[str]] = {word: [] for word in words.values()}
    for change in changes:
        found[words[_sign(change)]].append(change.path)
    return found


# -- Who vouches for a bundle, as lines and as fields.


def verdict_lines(verdict: Verdict) -> Iterator[Line]:
    """Each rule and what became of it, and what else stands against the bundle."""
    for each in verdict.rules:
        satisfied = Styled("satisfied", Style.ADDED) if each.satisfied else Styled("not satisfied", Style.ERROR)
        yield (satisfied, f"  rule {each.rule.bundle}: {len(each.signers)} of {each.rule.threshold} signers")
        yield from listed("  signed by ", map(str, each.signers))
        yield from listed("  does not count: ", each.passed_over)
    if not verdict.rules:
        yield "no rule is about this name: nobody's signature was asked for"
    yield from ((Styled("refused", Style.ERROR), f"  {each}") for each in verdict.refusals)


def verdict_fields(verdict: Verdict) -> dict[str, object]:
    """The same for a program."""
    return {
        "accepted": verdict.accepted,
        "signed": verdict.signed,
        "rules": [_rule_fields(each) for each in verdict.rules],
        "refusals": verdict.refusals,
    }


def _rule_fields(verdict: RuleVerdict) -> dict[str, object]:
    return {
        "bundle": verdict.rule.bundle,
        "threshold": verdict.rule.threshold,
        "satisfied": verdict.satisfied,
        "signers": [str(each) for each in verdict.signers],
        "passed_over": verdict.passed_over,
    }


# -- Store paths of Nix, as text and as fields.


def path_lines(paths: Iterable[NixPath]) -> Iterator[Line]:
    """A line for each."""
    return (f"{each.path}  {printable_line(each.what)}" for each in paths)


def path_fields(paths: Iterable[NixPath]) -> Sequence[Fields]:
    """The same for a program."""
    return [{"path": each.path, "what": each.what} for each in paths]
