"""Text for a terminal: lines with styles, columns, escaped foreign text, sizes, and times."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from agent_sync_oci.text import printable, printable_line


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(each) for each in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


# -- Lines of text for a person, with a meaning in place of a colour.

_RESET = "\x1b[0m"


class Style(Enum):
    """What a piece of text means, and the colour (SGR parameters) that it has on a terminal."""

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
    """A piece of a line that means something."""

    text: str
    style: Style


Piece = str | Styled
Line = Piece | tuple[Piece, ...]


def render(line: Line, *, color: bool) -> str:
    """The line as it is written, without its end: escaped first, so that the only ESC in it is ours."""
    pieces = line if isinstance(line, tuple) else (line,)
    return "".join(_render_piece(piece, color=color) for piece in pieces)


def align(rows: Sequence[Sequence[Piece]]) -> Iterator[Line]:
    """The rows as a table: every column but the last is as wide as its widest cell, and two spaces part them."""
    widths = [max(width(printable_line(_text(cell))) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield tuple(_pad(row, widths))


def listed(lead: str, paths: Iterable[str]) -> Iterator[Line]:
    """Each path on a line of its own behind `lead`."""
    return (f"{lead}{printable_line(path)}" for path in paths)


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _render_piece(piece: Piece, *, color: bool) -> str:
    text = printable(_text(piece))
    return f"\x1b[{piece.style.value}m{text}{_RESET}" if color and isinstance(piece, Styled) and text else text


def _text(piece: Piece) -> str:
    return piece.text if isinstance(piece, Styled) else piece


def _pad(row: Sequence[Piece], widths: Sequence[int]) -> Iterator[Piece]:
    last = len(row) - 1
    for number, (cell, columns) in enumerate(zip(row, widths, strict=True)):
        text = printable_line(_text(cell))
        yield Styled(text, cell.style) if isinstance(cell, Styled) else text
        if number != last:
            yield " " * (columns - width(text) + 2)


# -- Numbers for a person.

_LAST_S = 253_402_300_799  # the end of the year 9999, which is as far as a date goes


def bytes_text(size: int) -> str:
    """`512 B`, `1.4 kB`, `20.0 MB`: decimal units, as the limits of the configuration are written."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def time_text(when_s: float) -> str:
    """Seconds since 1970 as `2026-11-21T04:20:11Z`."""
    return datetime.fromtimestamp(min(max(when_s, 0.0), _LAST_S), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
