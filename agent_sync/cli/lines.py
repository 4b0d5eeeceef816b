"""Lines of text for a person, with a meaning in place of a colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from agent_sync.cli.escaping import printable, printable_line, width

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


def rendered(line: Line, *, color: bool) -> str:
    """The line as it is written, without its end: escaped first, so that the only ESC in it is ours."""
    pieces = line if isinstance(line, tuple) else (line,)
    return "".join(_rendered(piece, color=color) for piece in pieces)


def aligned(rows: Sequence[Sequence[Piece]]) -> Iterator[Line]:
    """The rows as a table: every column but the last is as wide as its widest cell, and two spaces part them."""
    widths = [max(width(printable_line(_text(cell))) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield tuple(_padded(row, widths))


def listed(lead: str, paths: Iterable[str]) -> Iterator[Line]:
    """Each path on a line of its own behind `lead`."""
    return (f"{lead}{printable_line(path)}" for path in paths)


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _rendered(piece: Piece, *, color: bool) -> str:
    text = printable(_text(piece))
    return f"\x1b[{piece.style.value}m{text}{_RESET}" if color and isinstance(piece, Styled) and text else text


def _text(piece: Piece) -> str:
    return piece.text if isinstance(piece, Styled) else piece


def _padded(row: Sequence[Piece], widths: Sequence[int]) -> Iterator[Piece]:
    last = len(row) - 1
    for number, (cell, columns) in enumerate(zip(row, widths, strict=True)):
        text = printable_line(_text(cell))
        yield Styled(text, cell.style) if isinstance(cell, Styled) else text
        if number != last:
            yield " " * (columns - width(text) + 2)
