"""An error -> the lines that a person reads: what failed, where, and what to do (spec §13)."""

from __future__ import annotations

from collections.abc import Iterator

from agent_sync.cli.text import Line, Style, Styled, width
from agent_sync.errors import AgentSyncError, PartialFailure, Place
from agent_sync.events import Warned
from agent_sync_oci.text import printable_line


def error_lines(error: AgentSyncError) -> Iterator[Line]:
    """The error as a block; where it stands for many failures, a block for each of them, and their names in the end."""
    if not isinstance(error, PartialFailure):
        yield from _block(error, _subject(error))
        return
    for name, failure in error.failures.items():
        yield from failure_lines(name, failure)
    if len(error.failures) > 1:
        yield f"{error.check}: {', '.join(map(printable_line, error.failures))}"


def failure_lines(source: str, error: AgentSyncError) -> Iterator[Line]:
    """The block of an error that belongs to one source, which it names in any case."""
    subject = _subject(error)
    named = f"source {source}"
    yield from _block(error, subject if named in subject else f"{named}, {subject}")


def warning_lines(warning: Warned) -> Iterator[Line]:
    """Yield a warning on one line, and on a second one the place that it is about."""
    subject, message = printable_line(warning.subject), _within(warning.message, 2)
    yield (Styled(f"warning[{warning.rule}]", Style.WARNING), f": {subject}: {message}")
    if warning.place is not None:
        yield (Styled("  --> ", Style.PLACE), printable_line(str(warning.place)))


def _block(error: AgentSyncError, subject: str) -> Iterator[Line]:
    yield (Styled(f"error[{error.rule}]", Style.ERROR), ": ", Styled(_within(error.check, 2), Style.STRONG))
    gutter = " " * (len(str(error.place.line)) if error.place else 2)
    yield (Styled(f"{gutter}--> ", Style.PLACE), printable_line(subject))
    if error.place is not None and error.place.text:
        yield from _snippet(error.place, gutter)
    if error.remedy is not None:
        yield (Styled("help", Style.STRONG), f": {_within(error.remedy, 6)}")


def _subject(error: AgentSyncError) -> str:
    if error.place is None:
        return error.subject
    is_said = error.subject.partition(",")[0] == error.place.file
    return str(error.place) if is_said else f"{error.place} ({error.subject})"


def _snippet(place: Place, gutter: str) -> Iterator[Line]:
    """The line of the file, and carets below what is wrong in it, as far as it is on that line."""
    start = place.column - 1
    before, marked = _flat(place.text[:start]), _flat(place.text[start : start + place.width])
    bar = Styled(f"{gutter} |", Style.PLACE)
    yield (bar,)
    yield (Styled(f"{place.line} |", Style.PLACE), f" {_flat(place.text)}".rstrip())
    yield (bar, f" {' ' * width(before)}", Styled("^" * max(1, width(marked)), Style.ERROR))


def _flat(text: str) -> str:
    """What is shown of a piece of a line; a tab takes one column, so that the carets stand where they should."""
    return printable_line(text.replace("\t", " "))


def _within(text: str, columns: int) -> str:
    """The text with further lines indented: none of them looks like a message of its own."""
    return text.replace("\n", "\n" + " " * columns)
