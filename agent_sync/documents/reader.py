"""Read a configuration, policy or lock as a `Document`: plain data that knows the position of each value.

A canonical text is read quickly and proved by writing it again; the strict reader decides on any other.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from agent_sync.documents.scalars import MAX_DEPTH, UNWRITABLE, DigestTable, Value, emit, parse_scalar
from agent_sync.errors import AgentSyncError, LimitExceeded, LockError, Place
from agent_sync_oci.records import record
from agent_sync_oci.text import escape_character, printable_line

# -- source text -------------------------------------------------------------------------------------------------------

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
        ours = ", or keep your side: git checkout --ours agent-sync.lock; then: agent-sync update"
        again = ours if issubclass(source.error, LockError) else ""
        raise source.refusal(
            source.span_at(found.start(), width=len(found[0])),
            check="a merge conflict in the file is unresolved",
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


# -- canonical text ----------------------------------------------------------------------------------------------------

# A lock of 50,000 files takes the strict reader 0.7 seconds and this one 0.1. It parses no more than the writer writes,
# is careless about everything else, and is trusted only if the data, written again, are the very bytes that were read.

_QUOTED_STRING = r'"(?:[^"\\\n]|\\.)*"'
_PAIR = re.compile(rf'({_QUOTED_STRING}|[A-Za-z_./][^\s":]*):(?: (.+))?\n( *)')
_REST = re.compile(r"(.+)\n( *)")


def read_canonical(text: str) -> dict[str, Any] | None:
    """Parse the text, if that is exactly how `emit` would write it; else return None. Maps of files are `DigestTable`s.

    None is also returned for a document with a key of over 1,000 characters, or an empty one.
    """
    if not text.endswith("\n"):
        return None
    try:
        for by_tables in (True, False):
            data = _CanonicalParser(text, by_tables=by_tables).document()
            if emit(data) == text:
                return data
    except ValueError:  # of this reader, of `json` and of `emit`: not canonical
        pass
    return None


class _CanonicalParser:
    """Where it is in the text: `_at` a first character that is no blank, `_indent` columns into its line.

    With `by_tables` a mapping that begins like a map of files is taken for one up to its end, without looking.
    """

    def __init__(self, text: str, *, by_tables: bool) -> None:
        self._text = text
        self._by_tables = by_tables
        self._at = 0
        self._indent = 0

    def document(self) -> dict[str, Any]:
        return self._mapping(0)

    def _block(self, indent: int) -> dict[str, Any] | list[Any] | DigestTable:
        if indent >= 2 * MAX_DEPTH or self._indent != indent:
            raise ValueError("too deep, or indented by something else than two")
        if self._text.startswith("- ", self._at):
            return self._list(indent)
        start = self._at - indent
        if self._by_tables and _file_at(indent).match(self._text, start):
            return self._digest_table(start, indent)
        return self._mapping(indent)

    def _mapping(self, indent: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while self._indent == indent:
            key, inline, _ = self._match(_PAIR).groups()
            name = json.loads(key) if key[0] == '"' else key
            mapping[name] = self._block(indent + 2) if inline is None else _scalar(inline)
        return mapping

    def _list(self, indent: int) -> list[Any]:
        items: list[Any] = []
        while self._indent == indent and self._text.startswith("- ", self._at):
            self._at += 2
            self._indent += 2
            if self._text.startswith("- ", self._at) or _PAIR.match(self._text, self._at):
                items.append(self._block(indent + 2))
            else:
                items.append(_scalar(self._match(_REST)[1]))
        return items

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Return the match here, and go to the next line."""
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError("a line of another form")
        self._at = match.end()
        self._indent = len(match[match.re.groups]) if self._at < len(self._text) else -1
        return match

    def _digest_table(self, start: int, indent: int) -> DigestTable:
        """Parse every `{sha256}` and `{sha256, executable: true}` up to the end of the mapping; the rest is passed
        over.
        """
        ending = _end_of_block(indent).search(self._text, start)
        assert ending is not None  # the text ends in a line break
        self._at, self._indent = ending.end(), len(ending[1]) if ending.end() < len(self._text) else -1
        rows = _file_at(indent).findall(self._text, start, ending.start() + 1)
        return DigestTable(
            [name for name, _, _ in rows], [digest for _, digest, _ in rows], [mark != "" for _, _, mark in rows]
        )


@cache
def _file_at(indent: int) -> re.Pattern[str]:
    """Return the pattern of a file in a map of files that is indented so far; a name with an escape in it does not
    match.

    The pattern is anchored to the beginning of a line: a search that could begin anywhere in a line of blanks takes
    quadratic time.
    """
    pad = f"^ {{{indent}}}"
    digest = rf'{pad}  sha256: "?(.{{64}})"?\n'
    return re.compile(rf'{pad}"?([^\s"\\][^"\\\n]*)"?:\n{digest}(?:{pad}  executable: (true)\n)?', re.MULTILINE)


@cache
def _end_of_block(indent: int) -> re.Pattern[str]:
    """Return the pattern of the line break after a block that is indented so far, and of the indentation that
    follows.
    """
    return re.compile(rf"\n(?! {{{indent}}})( *)")


def _scalar(word: str) -> Value:
    if word[0] == '"':
        text: str = json.loads(word)
        return text
    if word in ("[]", "{}"):
        return [] if word == "[]" else {}
    return parse_scalar(word)


# -- documents ---------------------------------------------------------------------------------------------------------

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value from the top: keys of mappings and 0-based positions in lists."""


@record
class Document:
    """The content of a file: `data` is made of dict, list, str, int, float, bool and None, with text keys."""

    data: dict[str, Any]
    _source: SourceText = field(repr=False)

    @property
    def file(self) -> str:
        """Return the file's name in messages."""
        return self._source.file

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return the position of the value at `path`, or of its key; for what is missing, of what should hold it.

        Secrets in addresses are redacted in the line. Each call reads the text up to that place, half a second at the
        end of a lock of 50,000 files: ask for what is shown.
        """
        from agent_sync.documents.strict import locate

        return self._source.place(locate(self._source, path, key=key))


def read_document(
    content: bytes, *, file: str, error: type[AgentSyncError], max_bytes: int, emitted: bool = False
) -> Document:
    """Read the content strictly; `file` is its name in messages.

    With `emitted` it is, as a rule, what `emit` wrote: that takes a fifth of the time, and maps of files in it are
    `DigestTable`s.

    Words without quotes mean what they mean in YAML 1.2 (so `on` and `2024-01-01` are text), and numbers that YAML 1.1
    and 1.2 read differently are refused.

    Raises:
        error: it is not UTF-8, not YAML, not a mapping, or has what `strict` names; with line, column and remedy.
        LimitExceeded: it is over `max_bytes`, or has more than two million keys and values.
    """
    source = decode(content, file=file, error=error, max_bytes=max_bytes)
    with gc_paused():
        data = read_canonical(source.text) if emitted else None
        if data is None:
            from agent_sync.documents.strict import parse

            data = parse(source)
    return Document(data, source)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the cyclic collector: it would walk over all that was built so far, again and again.

    Measured with 50,000 files: 1.5 s with it, 0.6 s without. Nothing that is built of a document is a cycle.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
