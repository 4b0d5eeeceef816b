"""An error -> the lines that a person reads: what failed, where, and what to do (spec §13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent_sync.cli.text import Line, Style, Styled, width
from agent_sync.errors import AgentSyncError, PartialFailure, Place
from agent_sync.events import Warned
from agent_sync_oci.text import printable_line

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
