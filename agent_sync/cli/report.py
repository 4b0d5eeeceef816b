"""What a person reads: lines with styles and columns, errors and warnings, and the parts that several results share."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from agent_sync.errors import AgentSyncError, PartialFailure, Place
from agent_sync.events import Warned
from agent_sync.receipt.replay import age_marker
from agent_sync_oci.records import record
from agent_sync_oci.text import printable, printable_line

if TYPE_CHECKING:
    from agent_sync.lock.difference import LockDifference, SourceChange
    from agent_sync.operations.nix import NixPath
    from agent_sync.plan.actions import Action, FileDiff
    from agent_sync.tree import Change, RelPath
    from agent_sync_oci.trust import Verdict


_RESET = "\x1b[0m"
_DIGEST_CHARACTERS = 12


# -- lines -------------------------------------------------------------------------------------------------------------


class Style(Enum):
    """What a piece of text means, and its color (SGR parameters) on a terminal."""

    ERROR = "1;31"
    WARNING = "1;33"
    STRONG = "1"
    FAINT = "2"
    ADDED = "32"
    REMOVED = "31"
    CHANGED = "33"
    PLACE = "36"


@record
class Styled:
    """A piece of a line with a meaning."""

    text: str
    style: Style


@record
class Age:
    """A point in time (seconds since 1970) that is shown as how long ago it was."""

    when_s: float


Piece = str | Styled | Age
Line = Piece | tuple[Piece, ...]


def render(line: Line, *, color: bool) -> str:
    """Return the line as it is written, without its end: escaped first, so that every ESC in it is ours.

    An age is marked for `agent_sync.receipt.replay.with_ages`, since a receipt may be replayed later.
    """
    pieces = line if isinstance(line, tuple) else (line,)
    return "".join(_render_piece(piece, color=color) for piece in pieces)


def align(rows: Sequence[Sequence[Piece]]) -> Iterator[Line]:
    """Yield the rows as a table: each column but the last is as wide as its widest cell, with two spaces between."""
    widths = [max(width(printable_line(_text(cell))) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield tuple(_pad(row, widths))


def listed(lead: str, paths: Iterable[str]) -> Iterator[Line]:
    """Yield a line for each path, after `lead`."""
    return (f"{lead}{printable_line(path)}" for path in paths)


def counted(number: int, thing: str) -> str:
    """Return `1 file` or `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def bytes_text(size: int) -> str:
    """Return `512 B`, `1.4 kB`, or `20.0 MB`: decimal units, like the limits of the configuration."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def short_digest(digest: str) -> str:
    """Return `sha256:1f2e3d4c5b6a`: as much of a digest as a person compares; whoever copies it needs the whole one."""
    algorithm, _, hexadecimal = digest.partition(":")
    return f"{algorithm}:{hexadecimal[:_DIGEST_CHARACTERS]}"


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(each) for each in text)


def _render_piece(piece: Piece, *, color: bool) -> str:
    if isinstance(piece, Age):
        return age_marker(piece.when_s)
    text = printable(_text(piece))
    return f"\x1b[{piece.style.value}m{text}{_RESET}" if color and isinstance(piece, Styled) and text else text


def _text(piece: Piece) -> str:
    if isinstance(piece, Age):
        raise TypeError("an age has no width before it is shown")
    return piece.text if isinstance(piece, Styled) else piece


def _pad(row: Sequence[Piece], widths: Sequence[int]) -> Iterator[Piece]:
    last = len(row) - 1
    for number, (cell, columns) in enumerate(zip(row, widths, strict=True)):
        text = printable_line(_text(cell))
        yield Styled(text, cell.style) if isinstance(cell, Styled) else text
        if number != last:
            yield " " * (columns - width(text) + 2)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


# -- errors and warnings: what failed, where, and what to do (spec §13) ------------------------------------------------

# A remedy -> the same with the options that were given, so that its commands are about the same project.
Complete = Callable[[str], str]


def error_lines(error: AgentSyncError, *, complete: Complete = str) -> Iterator[Line]:
    """Yield the error as a block; for one that stands for many, a block for each of them, and a summary."""
    if not isinstance(error, PartialFailure):
        yield from _block(error, _subject(error), complete)
        return
    for name, failure in error.failures.items():
        yield from failure_lines(name, failure, complete=complete)
    if len(error.failures) > 1:
        yield f"{error.check}: {', '.join(map(printable_line, error.failures))}"


def failure_lines(source: str, error: AgentSyncError, *, complete: Complete = str) -> Iterator[Line]:
    """Yield the block of an error that belongs to one source, which the headline always names."""
    subject = _subject(error)
    named = f"source {source}"
    yield from _block(error, subject if named in subject else f"{named}, {subject}", complete)


def warning_lines(warning: Warned) -> Iterator[Line]:
    """Yield a warning: one line, and where it has a place the line of the file."""
    headline = f": {printable_line(warning.subject)}: {_indented(warning.message, 2)}"
    yield (Styled(f"warning[{warning.rule}]", Style.WARNING), headline)
    if warning.place is not None:
        yield from _location(warning.place, Style.WARNING)


def _block(error: AgentSyncError, subject: str, complete: Complete) -> Iterator[Line]:
    # A CI annotation or a log shows only the first line: subject and check make one whole sentence.
    headline = f"{printable_line(subject)}: {_indented(error.check, 2)}"
    yield (Styled(f"error[{error.rule}]", Style.ERROR), ": ", Styled(headline, Style.STRONG))
    if error.place is not None:
        yield from _location(error.place, Style.ERROR)
    if error.remedy is not None:
        yield (Styled("help", Style.STRONG), f": {_indented(complete(error.remedy), 6)}")


def _subject(error: AgentSyncError) -> str:
    """Return the subject, without the file that the next line names."""
    if error.place is None:
        return error.subject
    file, _, rest = error.subject.partition(", ")
    return rest if rest and file == error.place.file else error.subject


def _location(place: Place, style: Style) -> Iterator[Line]:
    gutter = " " * len(str(place.line))
    yield (Styled(f"{gutter}--> ", Style.PLACE), printable_line(str(place)))
    if place.text:
        yield from _excerpt(place, gutter, style)


def _excerpt(place: Place, gutter: str, style: Style) -> Iterator[Line]:
    """Yield the line of the file, and carets below what is wrong in it, as far as it is on that line."""
    start = place.column - 1
    before, marked = _flat(place.text[:start]), _flat(place.text[start : start + place.width])
    bar = Styled(f"{gutter} |", Style.PLACE)
    yield (bar,)
    yield (Styled(f"{place.line} |", Style.PLACE), f" {_flat(place.text)}".rstrip())
    yield (bar, f" {' ' * width(before)}", Styled("^" * max(1, width(marked)), style))


def _flat(text: str) -> str:
    """Return how the text is shown; a tab takes one column, so that the carets are in the right one."""
    return printable_line(text.replace("\t", " "))


def _indented(text: str, columns: int) -> str:
    """Return the text with further lines indented: none of them looks like a message of its own."""
    return text.replace("\n", "\n" + " " * columns)


# -- parts of results: lock differences, diffs, actions, verdicts, and Nix paths ---------------------------------------

_STEPS = {"create": ("create", Style.ADDED), "replace": ("replace", Style.CHANGED), "remove": ("delete", Style.REMOVED)}
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
        word, style = _STEPS[action.step.value]
        edited = ", edited here: the edit is kept" if action.edited else ""
        detail = f" {printable_line(action.path)} ({printable_line(action.source)}{edited})"
        yield (Styled(f"{word:<7}", style), detail)


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
        missing = "" if each.satisfied else f"; missing: {each.missing}"
        yield (
            satisfied,
            f"  rule {each.rule.bundle}: {len(each.signers)} of {each.rule.threshold} signatures{missing}",
        )
        yield from listed("  signed by ", map(str, each.signers))
        yield from listed("  not counted: ", each.passed_over)
    if not verdict.rules:
        yield "no policy rule matches this name; signatures not checked"
    told = tuple(map(str, verdict.rules))  # which is how the refusal of a rule begins
    yield from ((Styled("refused", Style.ERROR), f"  {each}") for each in verdict.refusals if not each.startswith(told))


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
