"""The text of one file, and the error for what is wrong at a position in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from agent_sync.documents.scalars import UNWRITABLE
from agent_sync.errors import AgentSyncError, LimitExceeded, LockError, Place
from agent_sync_oci.text import escape_character, printable_line

_MAX_EXCERPT = 80
_MAX_LINE = 500

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|\Z)", re.MULTILINE)


class Span(NamedTuple):
    """The position of a token: line and column as the parser counts them, from 0, and its width; all in characters."""

    line: int
    column: int
    width: int = 1


class SourceText(NamedTuple):
    """The text of `file`; `error` is what is raised when it is invalid."""

    file: str
    text: str
    error: type[AgentSyncError]

    def place(self, span: Span) -> Place:
        """Return the place of the span with the text of its line, secrets redacted; without the text if the line is
        long.
        """
        from agent_sync_oci.text import redact_in_place

        line = self._line(span.line)
        text = redact_in_place(line) if len(line) <= _MAX_LINE else ""
        width = max(1, min(span.width, len(line) - span.column))
        return Place(file=self.file, line=span.line + 1, column=span.column + 1, text=text, width=width)

    def refusal(self, span: Span, *, check: str, remedy: str) -> AgentSyncError:
        """Return the error to raise for what is at `span`."""
        return self.error(subject=self.file, check=check, remedy=remedy, place=self.place(span))

    def span_at(self, offset: int, *, width: int = 1) -> Span:
        """Return the span that begins `offset` characters into the text."""
        return Span(self.text.count("\n", 0, offset), offset - (self.text.rfind("\n", 0, offset) + 1), width)

    def _line(self, number: int) -> str:
        return next(iter(self.text.split("\n", number + 1)[number : number + 1]), "").rstrip("\r")


def decode(content: bytes, *, file: str, error: type[AgentSyncError], max_bytes: int) -> SourceText:
    """Decode the content as UTF-8.

    Raises:
        LimitExceeded: it is over `max_bytes`.
        error: it is not UTF-8.
    """
    if len(content) > max_bytes:
        raise LimitExceeded(
            subject=file,
            check=f"{len(content)} bytes, more than the {max_bytes} that are read",
            remedy="check that this is the right file",
        )
    try:
        return SourceText(file, content.decode(), error)
    except UnicodeDecodeError as fault:
        readable = SourceText(file, content.decode(errors="replace"), error)
        raise readable.refusal(
            readable.span_at(len(content[: fault.start].decode())),
            check=f"the byte 0x{content[fault.start]:02x} is not UTF-8",
            remedy="save the file as UTF-8, without a byte order mark",
        ) from None


def check_characters(source: SourceText) -> None:
    """Raise unless the text could be YAML that people and programs read alike.

    Raises:
        source.error: it holds a character that may only be written as an escape, or what is left of a merge.
    """
    if found := _CONFLICT.search(source.text):
        again = ", or have it written again: agent-sync update" if issubclass(source.error, LockError) else ""
        raise source.refusal(
            source.span_at(found.start(), width=len(found[0])),
            check="a merge conflict was left in the file",
            remedy=f"resolve the merge{again}",
        )
    if found := UNWRITABLE.search(source.text):
        check, remedy = _describe_character(found[0], at_start=found.start() == 0)
        raise source.refusal(source.span_at(found.start()), check=check, remedy=remedy)


def excerpt(text: str) -> str:
    """Return foreign text for a message, cut where it is long."""
    return printable_line(text, longest=_MAX_EXCERPT, keep="")


def _describe_character(character: str, *, at_start: bool) -> tuple[str, str]:
    if character == "\t":
        return "tabs are not allowed here", "indent with spaces; in text write it as \\t, in double quotes"
    if character == "\ufeff" and at_start:
        return "the file begins with a byte order mark", "save it as UTF-8 without one"
    if character == "\r":
        return "a line ends in a carriage return alone", "end lines with a line feed"
    code = escape_character(character)
    return f"hidden character {code}", f"remove it; in text write it as {code}, in double quotes"
