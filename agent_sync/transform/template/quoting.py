"""Go's quoted strings and characters, as `%q` and `%#v` print them."""

from __future__ import annotations

import re

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.escaping import in_pieces
from agent_sync.transform.template.printable import is_printable

REPLACEMENT = "\ufffd"
_NOT_PLAIN = re.compile(r"[^ !#-\[\]-~]")
_NOT_RAW = re.compile("[\x00-\x08\x0a-\x1f`\x7f\ufeff\udc80-\udcff]")
_SIMPLE = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}


def quoted(text: str, meter: Meter, *, ascii_only: bool = False) -> str:
    """`text` as a double-quoted Go string; with `ascii_only` every character beyond is escaped."""

    def change(piece: str) -> str:
        return _NOT_PLAIN.sub(lambda found: _escaped(found.group(), quote='"', ascii_only=ascii_only), piece)

    return f'"{in_pieces(text, change, meter)}"'


def quoted_character(code: int, *, ascii_only: bool = False) -> str:
    """The character as a single-quoted Go constant; what is none is shown as U+FFFD."""
    return f"'{_escaped(character(code), quote=chr(39), ascii_only=ascii_only)}'"


def character(code: int) -> str:
    """The character with this code point, or U+FFFD where there is none."""
    return chr(code) if 0 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF else REPLACEMENT


def fits_raw_string(text: str) -> bool:
    """Whether backquotes can hold `text` on one line, unchanged."""
    return _NOT_RAW.search(text) is None


def _escaped(character: str, *, quote: str, ascii_only: bool) -> str:
    code = ord(character)
    if character == quote:
        return "\\" + character
    if character in _SIMPLE:
        return _SIMPLE[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte outside UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if is_printable(code) and not (ascii_only and code >= 0x80):
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
