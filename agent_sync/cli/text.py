"""Text for a terminal: lines with styles, columns, escaped foreign text, sizes, and digests."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from agent_sync.receipt.replay import age_marker
from agent_sync_oci.text import printable, printable_line

_RESET = "\x1b[0m"
_DIGEST_CHARACTERS = 12


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


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of a line with a meaning."""

    text: str
    style: Style


@dataclass(frozen=True, slots=True)
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
