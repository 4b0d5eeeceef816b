"""One number, character or quoted string under one verb of Go's fmt, with flags, width and precision (fmt/format.go).

Floating-point digits come from Python, whose conversions are exact and shortest like Go's; layout, thresholds and flags
are Go's.
"""

from __future__ import annotations

import math
import re
import struct
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate

from agent_sync.transform.template.budget import Meter, in_pieces
from agent_sync.transform.template.errors import TemplateError

# -- Flags: what is between `%` and the verb, and the padding that it asks for.


@dataclass(slots=True)
class Flags:
    """The flags, width and precision of one verb. `go_syntax` is `%#v`, where `#` means nothing else."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    go_syntax: bool = False
    width: int | None = None
    precision: int | None = None


def padded(text: str, flags: Flags, *, zeros: bool = True) -> str:
    """Return `text` padded to the width; with zeros on the left where they are allowed and asked for."""
    if flags.width is None:
        return text
    return text + " " * (flags.width - len(text)) if flags.minus else padding(len(text), flags, zeros=zeros) + text


def padding(length: int, flags: Flags, *, zeros: bool = True) -> str:
    """Return the padding that a text of `length` characters lacks to the width."""
    fill = "0" if flags.zero and zeros and not flags.minus else " "
    return fill * ((flags.width or 0) - length)


def shortened(text: str, flags: Flags) -> str:
    """Return `text` cut to the precision, in characters."""
    return text if flags.precision is None else text[: flags.precision]


# -- Which characters Go prints as they are: letters, marks, numbers, punctuation, symbols and the space, in Unicode
# 15.0. A table of our own, because Python's `unicodedata` is a newer Unicode in each newer Python, and what a
# template makes is locked: it must be the same bytes on every machine. `tests/unit/template/test_oracle.py` compares
# it with Go.

UNICODE_VERSION = "15.0.0"


def is_printable(code: int) -> bool:
    """Tell whether the character with this code point is printed as it is."""
    if code < 0x7F:
        return code >= 0x20
    return bisect_right(_borders(), code) % 2 == 1


@cache
def _borders() -> list[int]:
    """Return where printable characters start and end, by turns."""
    return list(accumulate(int(run, 36) for run in _RUNS.split()))


# Lengths in base 36 of the runs of characters that are not, are, are not, ... printable, from U+0000 on.
_RUNS = """
w 2n y c 1 ju 2 6 4 7 1 1 1 k 1 b1 1 12 2 1e 2 3 1 1j 8 r 4 6 h m 1 5c 1 1c 2 1n 2 2t e 1n 2 1d 2 f 1 s 2 1 1 b 5 v
9 22 1 4h 1 8 2 2 2 m 1 7 1 1 3 4 2 9 2 2 2 4 8 1 4 2 1 5 2 p 2 3 1 6 4 2 2 m 1 7 1 2 1 2 1 2 2 1 1 5 4 2 2 3 3 1 7
4 1 1 7 h a 3 1 9 1 3 1 m 1 7 1 2 1 5 2 a 1 3 1 3 2 1 f 4 2 c 7 7 1 3 1 8 2 2 2 m 1 7 1 2 1 5 2 9 2 2 2 3 7 3 4 2 1
5 2 i a 2 1 6 3 3 1 4 3 2 1 1 1 2 3 2 3 3 3 c 4 5 3 3 1 4 2 1 6 1 e l 5 d 1 3 1 n 1 g 2 9 1 3 1 4 7 2 1 3 2 1 2 4 2
a 7 m 1 3 1 n 1 a 1 5 2 9 1 3 1 4 7 2 6 2 1 4 2 a 1 3 c d 1 3 1 1f 1 3 1 6 4 g 2 q 1 3 1 i 3 o 1 9 1 1 2 7 3 1 4 6 1
1 1 8 6 a 2 3 c 1m 4 t 11 2 1 1 1 5 1 o 1 1 1 n 2 5 1 1 1 7 1 a 2 4 w 20 1 10 4 13 1 10 1 f 1 d 11 5i 1 1 5 1 2 ah 1
4 2 7 1 1 1 4 2 15 1 4 2 x 1 4 2 7 1 1 1 4 2 f 1 1l 1 4 2 1v 2 w 3 q 6 2e 2 6 2 hs 1 s 3 2h 7 m 9 o 9 k c d 1 3 1 2
c 2m 2 a 6 a 6 e 1 b 6 2h 7 17 5 1y a v 1 c 4 c 4 1 3 16 2 5 b 18 4 q 6 b 3 1q 2 1t 1 t 2 b 6 a 6 e 2 v 1d 25 3 1b 1
38 8 1o 3 f 3 1o 7 17 2 b 8 17 5 eu 2 6 2 12 2 6 2 8 1 1 1 1 1 1 1 v 2 1h 1 f 1 e 2 6 1 j 2 3 1 9 h o 8 1b h 2 2 r 1
d 3 x f x f 3w 4 if p b l 1ec 2 w 1 9p 5 19 1 1 5 1 2 1k 7 2 e o 9 7 1 7 1 7 1 7 1 7 1 7 1 7 1 7 1 3i y q 1 2h c 5y
q c 5 1r 1 2e 2 2v 5 17 1 2m 1 2c c 1b 1 mlp 3 1j 9 9o k 54 8 5n 5 2 1 1 1 5 o 1n 3 a 6 1k 8 1y 8 c 6 38 b u 3 26 1
b 4 x 1 1j 9 e 2 a 2 2v o s a 6 2 6 2 6 9 7 1 7 1 1o 4 3i 2 a 6 8mc c n 4 1d 6is a6 2 2y 12 7 c 5 5 q 1 5 1 1 1 2 1
2 1 3h g cd 2 1i 7 1 w 16 6 1f 1 j 1 4 4 5 1 3r 4 5a 3 6 2 6 2 6 2 3 3 7 1 7 d 2 2 c 1 q 1 j 1 2 1 f 2 e y 3f 5 3 4
19 3 2g 1 d 3 1 1b 1a 3m t 3 1d f s 4 10 9 u 5 17 5 u 1 11 4 e 16 4e 2 a 6 10 4 10 4 14 8 1g b c 1 f 1 7 1 2 1 b 1 f
1 7 1 2 1v 8n 9 m a 8 o 6 1 16 1 9 1x 6 2 1 1 18 1 2 3 1 2 n 1 20 8 9 1c j 1 2 5 x 3 r 5 1 1s 1k 4 k 2 1e 1 2 5 8 1
3 1 t 2 3 4 a 7 9 7 1s w 13 4 c 9 1i 3 t 2 r 5 q 7 4 c 7 28 21 1j 1f d 1f 7 1a 8 a 86 v 1 16 1 3 2 2 23 17 8 16 m q
12 s k n 9 26 4 10 9 1q 1 5 d p 7 a 6 1h 1 i 8 13 9 2o 1 k b i 1 1b 1q 7 1 1 1 4 1 f 1 b 6 1n 5 a 6 4 1 8 2 2 2 m 1
7 1 2 1 5 1 a 2 2 2 3 2 1 6 1 5 7 2 7 3 5 3v 2k 1 5 u 20 8 a 4m 1i 2 12 y 1x b a 6 d j 1m 6 a 1i r 2 f 4 n 55 1o 2s
2b c 8 2 1 2 8 1 2 1 u 1 2 2 c 9 a 1y 8 2 1a 2 b r 20 8 2b d 21 7 a 6u 9 1 19 1 e a t 3 w 2 m 1 e 21 7 1 2 1 18 3 1
1 2 1 9 8 a 6 6 1 2 1 11 1 2 1 6 7 a 8m p 7 h 1 15 3 s 2e 1 f 1e d pn 2u 33 1 5 b 5g 218 2r d ts g m 33e g7 6nt ft 7
v 1 a 4 29 1 a 6 u 2 6 a 1y a a 1 7 1 l 5 j j4 2j 2t 23 4 1l 7 h 1s 5 b 2 e 4qg 8 ye 16 9 6w7 4 1 7 1 2 1 83 f 1 t 3
2 1 e 4 8 b0 1s4 2z 5 d 3 9 7 a 2 4 3mo 1a 2 n 9 38 1o 6u a 13 2 22 8 34 l 1y 3e k c k c 2f 9 p 3r 2d 1 1z 1 2 2 1 2
2 2 4 1 c 1 1 1 7 1 1t 1 4 2 8 1 7 1 s 1 4 1 5 1 1 3 7 1 9g 2 84 2 ji f 5 1 f uo v 6 6 5x 7 1 h 2 7 1 2 1 5 5 1q x 1
34 19 3 e 2 a 4 2 8w v h 1m 5 1 cw 16 km 7 1 4 1 2 1 f 1 5h 2 g 15 24 4 a 4 2 lt 1w 24 1p 5e 4 1 r 1 2 1 1 2 1 1 a 1
4 1 1 1 1 6 1 4 1 1 1 1 1 1 3 1 2 1 1 2 1 1 1 1 1 1 1 1 1 1 2 1 1 2 4 1 7 1 4 1 4 1 1 1 a 1 h 5 3 1 5 1 h 1g 2 7i 18
4 2s c f 2 f 1 f 1 11 a 4u 1k t d 18 4 9 7 2 e 6 4a rc 4 h 3 d 3 3b 4 2n 6 c 4 1 f c 4 1k 8 a 6 14 8 u 2 2 26 9g c e
2 d 3 9 7 1a 1 7 8 e 4 9 7 9 7 43 1 1j 11 a sm wyo w 37e 6 66 2 4g2 e 5rl 2e7 f2 15u 3t7 5 38g f9e8 6o
"""


# -- Go's quoted strings and characters, as `%q` and `%#v` print them.

REPLACEMENT = "\ufffd"
_NOT_PLAIN = re.compile(r"[^ !#-\[\]-~]")
_NOT_RAW = re.compile("[\x00-\x08\x0a-\x1f`\x7f\ufeff\udc80-\udcff]")
_SIMPLE = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}


def quote_string(text: str, meter: Meter, *, ascii_only: bool = False) -> str:
    """Return `text` as a double-quoted Go string; with `ascii_only` every other character is escaped."""

    def change(piece: str) -> str:
        return _NOT_PLAIN.sub(lambda found: _escaped(found.group(), quote='"', ascii_only=ascii_only), piece)

    return f'"{in_pieces(text, change, meter)}"'


def quote_character(code: int, *, ascii_only: bool = False) -> str:
    """Return the character as a single-quoted Go constant; what is none is printed as U+FFFD."""
    return f"'{_escaped(character(code), quote=chr(39), ascii_only=ascii_only)}'"


def character(code: int) -> str:
    """Return the character with this code point, or U+FFFD where there is none."""
    return chr(code) if 0 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF else REPLACEMENT


def fits_raw_string(text: str) -> bool:
    """Tell whether backquotes can hold `text` on one line, unchanged."""
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


# -- Go's integer verbs: %d %b %o %O %x %X %c %q %U and %v, with sign, prefix, width and precision.

_BASES = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FORMATS = {2: "b", 8: "o", 10: "d", 16: "x"}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_UINT64_MASK = 2**64 - 1
_LARGEST_CHARACTER = 0x10FFFF


def integer_text(value: int, verb: str, flags: Flags, *, is_byte: bool) -> str | None:
    """Return `value` as `verb` prints it; None if the verb is not for integers.

    Raises:
        TemplateError: the value does not fit into Go's 64 bits.
    """
    if not _SMALLEST <= value <= _LARGEST:  # not `in range(...)`, which counts through it for a subclass of int
        raise TemplateError("an integer is beyond 64 bits")
    base = _BASES.get(verb)
    if base is not None:
        if verb == "v" and flags.go_syntax and is_byte:
            return _integer_digits(value, 16, verb, replace(flags, sharp=True))
        return _integer_digits(value, base, verb, flags)
    code = value & _UINT64_MASK
    match verb:
        case "c":
            return padded(character(code), flags)
        case "q":
            return padded(quote_character(code, ascii_only=flags.plus), flags)
        case "U":
            return _unicode(code, flags)
        case _:
            return None


def _integer_digits(value: int, base: int, verb: str, flags: Flags) -> str:
    """Return sign, prefix and digits. Zeros come from a precision, or else from the flag 0 with a width."""
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
    """Return `U+0078`, with `#` followed by the character in quotes if it can be printed."""
    text = "U+" + f"{code:X}".rjust(max(4, flags.precision or 0), "0")
    if flags.sharp and code <= _LARGEST_CHARACTER and is_printable(code):
        text += f" '{chr(code)}'"
    return padded(text, flags, zeros=False)


# -- Go's floating-point verbs: %e %E %f %F %g %G %b %x %X and %v. Digits come from Python, whose conversions are
# exact and shortest like Go's; layout, thresholds and flags are Go's.

_MANTISSA_BITS = 52
_EXPONENT_BIAS = 1023
_FRACTION_MASK = (1 << _MANTISSA_BITS) - 1
_SMALLEST_PLAIN = -4
_SMALLEST_EXPONENT = 6
_DEFAULT_PRECISION = {"e": 6, "E": 6, "f": 6, "F": 6}
_VERBS = frozenset("veEfFgGbxX")


def float_text(value: float, verb: str, flags: Flags) -> str | None:
    """Return `value` as `verb` prints it; None if the verb is not for floats."""
    if verb not in _VERBS:
        return None
    precision = flags.precision if flags.precision is not None else _DEFAULT_PRECISION.get(verb)
    if math.isnan(value) or math.isinf(value):
        return _no_number(value, flags)
    sign = "-" if math.copysign(1.0, value) < 0 else " " if flags.space and not flags.plus else "+"
    digits = _float_digits(abs(value), verb, precision)
    if flags.sharp and verb != "b":
        digits = _with_point(digits, verb, precision)
    if sign == "+" and not flags.plus:
        return padded(digits, flags)
    if flags.zero and not flags.minus:  # the sign comes before the zeros
        return sign + padding(len(digits) + 1, flags) + digits
    return padded(sign + digits, flags)


def _no_number(value: float, flags: Flags) -> str:
    """Return an infinity, always with its sign, or NaN, with one only where a flag asks for it."""
    if math.isnan(value):
        text = "+NaN" if flags.plus else " NaN" if flags.space else "NaN"
    elif value < 0:
        text = "-Inf"
    else:
        text = " Inf" if flags.space and not flags.plus else "+Inf"
    return padded(text, flags, zeros=False)


def _float_digits(value: float, verb: str, precision: int | None) -> str:
    """Return `value`, which has no sign, without width and flags."""
    match verb:
        case "b":
            mantissa, exponent = _parts(value)
            return f"{mantissa}p{exponent - _MANTISSA_BITS:+d}"
        case "x" | "X":
            text = _hexadecimal(value, precision)
            return text.upper() if verb == "X" else text
        case "f" | "F":
            return f"{value:.{precision}f}"
        case "e" | "E":
            return f"{value:.{precision}{verb}}"
        case _:
            text = _shortest(value) if precision is None else f"{value:.{max(precision, 1)}g}"
            return text.upper() if verb == "G" else text


def _shortest(value: float) -> str:
    """Return the fewest digits that read back as `value`, with an exponent below 0.0001 and from 1,000,000 on."""
    mantissa, _, power = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = len(whole) + int(power or 0) - 1 - (len(whole + fraction) - len(digits)) if digits else 0
    if _SMALLEST_PLAIN <= exponent < _SMALLEST_EXPONENT:
        return mantissa.removesuffix(".0")
    digits = digits.rstrip("0")
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{exponent:+03d}"


def _hexadecimal(value: float, precision: int | None) -> str:
    """Return `0x1.8p+01`: one binary digit, then the hexadecimal ones needed or asked for, rounded half to even."""
    mantissa, exponent = _parts(value)
    if not mantissa:
        exponent = 0
    else:
        shift = _MANTISSA_BITS + 1 - mantissa.bit_length()
        mantissa, exponent = mantissa << shift, exponent - shift
    if precision is None:
        fraction = f"{mantissa & _FRACTION_MASK:013x}".rstrip("0")
    else:
        mantissa, exponent = _rounded(mantissa, exponent, 4 * precision)
        fraction = f"{mantissa & _FRACTION_MASK:013x}"[:precision].ljust(precision, "0")
    point = "." if fraction else ""
    return f"0x{mantissa >> _MANTISSA_BITS}{point}{fraction}p{exponent:+03d}"


def _rounded(mantissa: int, exponent: int, bits: int) -> tuple[int, int]:
    """Return the mantissa with all but `bits` of its fraction rounded away, half to even."""
    dropped = _MANTISSA_BITS - bits
    if dropped <= 0:
        return mantissa, exponent
    kept, rest = mantissa >> dropped, mantissa & ((1 << dropped) - 1)
    half = 1 << (dropped - 1)
    if rest > half or (rest == half and kept & 1):
        kept += 1
    mantissa = kept << dropped
    return (mantissa >> 1, exponent + 1) if mantissa >> (_MANTISSA_BITS + 1) else (mantissa, exponent)


def _with_point(text: str, verb: str, precision: int | None) -> str:
    """Return `text` as `#` wants it: always with a point, and %g with the zeros that it usually drops."""
    ends = "p" if verb in "xX" else "pe"
    cut = next((index for index, letter in enumerate(text.lower()) if letter in ends), len(text))
    head, tail = text[:cut], text[cut:]
    missing = 0 if verb not in "vgGx" else 6 if precision is None else precision
    missing -= len(head.replace(".", "").lstrip("0"))
    if "." not in head:
        missing -= head == "0"
        head += "."
    return head + "0" * missing + tail


def _parts(value: float) -> tuple[int, int]:
    """Return mantissa and exponent of the stored form: value = mantissa * 2 ** (exponent - 52)."""
    bits = int.from_bytes(struct.pack(">d", value), "big")
    exponent, mantissa = bits >> _MANTISSA_BITS, bits & _FRACTION_MASK
    if exponent:
        mantissa |= 1 << _MANTISSA_BITS
    return mantissa, max(exponent, 1) - _EXPONENT_BIAS
