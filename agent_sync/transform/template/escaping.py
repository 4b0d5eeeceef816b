"""Text made harmless inside HTML, JavaScript and URLs, byte for byte as Go's `html`, `js` and `urlquery` do it."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent_sync.transform.template.budget import Meter
from agent_sync.transform.template.printable import is_printable
from agent_sync.transform.template.strings import joined, to_bytes

_PIECE = 1 << 16
_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS_SPECIAL = re.compile(r"[\\'\"<>&=\x00-\x1f\x80-\U0010ffff]")
_JS_SIMPLE = {"\\": r"\\", "'": r"\'", '"': r"\""}
_URL_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_URL = [chr(byte) if byte in _URL_SAFE else "+" if byte == 0x20 else f"%{byte:02X}" for byte in range(256)]


def html(text: str, meter: Meter) -> str:
    """`text` for HTML, between tags or in an attribute."""
    return in_pieces(text, lambda piece: piece.translate(_HTML), meter)


def js(text: str, meter: Meter) -> str:
    """`text` for a JavaScript string."""
    return in_pieces(text, lambda piece: _JS_SPECIAL.sub(_js_escape, piece), meter)


def urlquery(text: str, meter: Meter) -> str:
    """`text` for a value in a URL's query."""
    return in_pieces(text, lambda piece: "".join([_URL[byte] for byte in to_bytes(piece)]), meter)


def in_pieces(text: str, change: Callable[[str], str], meter: Meter) -> str:
    """`text` with every character changed, paid for as it grows: an escape can make six bytes of one."""
    pieces: list[str] = []
    for start in range(0, len(text), _PIECE):
        pieces.append(change(text[start : start + _PIECE]))
        meter.made(pieces[-1])
    return joined(pieces)


def _js_escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in _JS_SIMPLE:
        return _JS_SIMPLE[character]
    code = ord(character)
    if code < 0x80 or not (is_printable(code) or 0xDC80 <= code <= 0xDCFF):  # the latter: a byte outside UTF-8, kept
        return f"\\u{code:04X}"
    return character
