"""Go's integer verbs: %d %b %o %O %x %X %c %q %U and %v, with sign, prefix, width and precision."""

from __future__ import annotations

from dataclasses import replace

from agent_sync.transform.template.faults import Refused
from agent_sync.transform.template.flags import Flags, padded, padding
from agent_sync.transform.template.printable import is_printable
from agent_sync.transform.template.quoting import character, quoted_character

_BASES = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FORMATS = {2: "b", 8: "o", 10: "d", 16: "x"}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_UINT64_MASK = 2**64 - 1
_LARGEST_CHARACTER = 0x10FFFF


def integer_text(value: int, verb: str, flags: Flags, *, is_byte: bool) -> str | None:
    """`value` as `verb` prints it; None if the verb is not for integers.

    Raises:
        Refused: the value does not fit into Go's 64 bits.
    """
    if not _SMALLEST <= value <= _LARGEST:  # not `in range(...)`, which counts through it for a subclass of int
        raise Refused("an integer is beyond 64 bits")
    base = _BASES.get(verb)
    if base is not None:
        if verb == "v" and flags.go_syntax and is_byte:
            return _digits(value, 16, verb, replace(flags, sharp=True))
        return _digits(value, base, verb, flags)
    code = value & _UINT64_MASK
    match verb:
        case "c":
            return padded(character(code), flags)
        case "q":
            return padded(quoted_character(code, ascii_only=flags.plus), flags)
        case "U":
            return _unicode(code, flags)
        case _:
            return None


def _digits(value: int, base: int, verb: str, flags: Flags) -> str:
    """Sign, prefix and digits. Zeros come from a precision, or from the flag 0 with a width; a precision wins."""
    least = flags.precision
    if least == 0 and value == 0:
        return padding(0, flags, zeros=False)
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    if least is None:
        least = (flags.width or 0) - len(sign) if flags.zero and not flags.minus else 0
    digits = format(abs(value), _FORMATS[base]).rjust(least, "0")
    digits = digits.upper() if verb == "X" else digits
    return padded(sign + _prefix(base, verb, digits, flags) + digits, flags, zeros=False)


def _prefix(base: int, verb: str, digits: str, flags: Flags) -> str:
    if verb == "O":
        return "0o0" if flags.sharp and digits[0] != "0" else "0o"
    if not flags.sharp or base == 10 or (base == 8 and digits[0] == "0"):
        return ""
    return {2: "0b", 8: "0", 16: "0X" if verb == "X" else "0x"}[base]


def _unicode(code: int, flags: Flags) -> str:
    """`U+0078`, with `#` followed by the character in quotes if it can be shown."""
    text = "U+" + f"{code:X}".rjust(max(4, flags.precision or 0), "0")
    if flags.sharp and code <= _LARGEST_CHARACTER and is_printable(code):
        text += f" '{chr(code)}'"
    return padded(text, flags, zeros=False)
