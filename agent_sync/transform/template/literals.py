"""What a literal of the template language stands for: strings, character constants and numbers, as Go writes them."""

from __future__ import annotations

import re

from agent_sync.transform.template.faults import Refused, word
from agent_sync.transform.template.strings import from_bytes, to_bytes

_LONGEST_NUMBER = 1_000
_SMALLEST_INT, _LARGEST_INT, _LARGEST_UINT = -(2**63), 2**63 - 1, 2**64 - 1

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEX_FLOAT = re.compile(rf"[+-]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_FLOAT_SIGNS = frozenset(".eEpP")
_HEX_INTEGER = re.compile(r"0[xX][^pP]+")

_ESCAPE = re.compile(rb"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|)")
_SIMPLE = dict(zip(b"abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\"", strict=True))


class TooLarge:
    """An integer literal that Go can read but not hold in its `int`; using it is an error, writing it is none."""


def string_of(literal: str) -> str:
    """The string that `literal`, quotes included, stands for.

    Raises:
        Refused: an escape in it is not one of Go's.
    """
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    return _unescaped(literal[1:-1], quote='"')


def character_of(literal: str) -> int:
    """The code point, or the byte of an escape such as `'\\xff'`, that a character constant stands for.

    Raises:
        Refused: it is not exactly one character.
    """
    inner = literal[1:-1]
    if len(inner) == 1:
        return ord(inner)
    found = _ESCAPE.fullmatch(to_bytes(inner))
    if found is None:
        raise Refused(f"a character constant is one character in single quotes, not {word(literal)}")
    return _escape_value(found, quote="'")


def number_of(literal: str) -> int | float | TooLarge:
    """The number that `literal` stands for: a float if it looks like one, else an int.

    Raises:
        Refused: it is no number, complex, or too large for a float.
    """
    if len(literal) > _LONGEST_NUMBER:
        raise Refused(f"the number {word(literal)} is longer than {_LONGEST_NUMBER} characters")
    if literal.endswith("i"):
        raise complex_refused(literal)
    plain = literal.replace("_", "")
    if _INTEGER.fullmatch(literal):
        integer = _integer(plain)
        if _SMALLEST_INT <= integer <= (_LARGEST_INT if literal.startswith("+") else _LARGEST_UINT):
            return _constant(literal, integer)
    elif _HEX_FLOAT.fullmatch(literal):
        return _hex_float(plain, literal)
    if _DECIMAL_FLOAT.fullmatch(literal) and not _FLOAT_SIGNS.isdisjoint(literal):
        value = float(plain)
        if abs(value) != float("inf"):
            return value
    raise Refused(f"{word(literal)} is not a number, or too large for one")


def complex_refused(literal: str) -> Refused:
    """The fault of a complex number."""
    return Refused(f"complex numbers such as {word(literal)} are not part of agent-sync's templates")


def _integer(plain: str) -> int:
    digits = plain.lstrip("+-")
    base = _BASES.get(digits[:2].lower())
    value = int(digits, 8 if digits[0] == "0" else 10) if base is None else int(digits[2:], base)
    return -value if plain[0] == "-" else value


def _constant(literal: str, integer: int) -> int | float | TooLarge:
    """Go's rule for a constant without a type: `-0xe` is a float, for it holds an `e` and does not start with `0x`."""
    if not _FLOAT_SIGNS.isdisjoint(literal) and not _HEX_INTEGER.fullmatch(literal):
        return float(integer)
    return integer if integer <= _LARGEST_INT else TooLarge()


def _hex_float(plain: str, literal: str) -> float:
    try:
        return float.fromhex(plain)
    except OverflowError as error:
        raise Refused(f"{word(literal)} is too large for a number") from error


def _unescaped(inner: str, *, quote: str) -> str:
    if "\\" not in inner:
        return inner
    return from_bytes(_ESCAPE.sub(lambda found: _escape_bytes(found, quote=quote), to_bytes(inner)))


def _escape_bytes(found: re.Match[bytes], *, quote: str) -> bytes:
    value = _escape_value(found, quote=quote)
    _simple, _byte, short, long, _octal = found.groups()
    return chr(value).encode("utf-8") if short or long else bytes((value,))


def _escape_value(found: re.Match[bytes], *, quote: str) -> int:
    simple, byte, short, long, octal = found.groups()
    if simple and simple not in b"'\"".replace(quote.encode(), b""):
        return _SIMPLE[simple[0]]
    if octal and int(octal, 8) < 256:
        return int(octal, 8)
    if byte:
        return int(byte, 16)
    if (short or long) and _is_character(value := int(short or long, 16)):
        return value
    raise Refused(f"{word(from_bytes(found.group()) or chr(92))} is not an escape that Go knows")


def _is_character(value: int) -> bool:
    return value < 0xD800 or 0xE000 <= value <= 0x10FFFF
