"""Go's floating-point verbs: %e %E %f %F %g %G %b %x %X and %v.

Digits come from Python, whose conversions are exact and shortest like Go's; layout, thresholds and flags are Go's.
"""

from __future__ import annotations

import math
import struct

from agent_sync.transform.template.flags import Flags, padded, padding

_MANTISSA_BITS = 52
_EXPONENT_BIAS = 1023
_FRACTION_MASK = (1 << _MANTISSA_BITS) - 1
_SMALLEST_PLAIN = -4
_SMALLEST_EXPONENT = 6
_DEFAULT_PRECISION = {"e": 6, "E": 6, "f": 6, "F": 6}
_VERBS = frozenset("veEfFgGbxX")


def float_text(value: float, verb: str, flags: Flags) -> str | None:
    """`value` as `verb` prints it; None if the verb is not for floats."""
    if verb not in _VERBS:
        return None
    precision = flags.precision if flags.precision is not None else _DEFAULT_PRECISION.get(verb)
    if math.isnan(value) or math.isinf(value):
        return _no_number(value, flags)
    sign = "-" if math.copysign(1.0, value) < 0 else " " if flags.space and not flags.plus else "+"
    digits = _digits(abs(value), verb, precision)
    if flags.sharp and verb != "b":
        digits = _with_point(digits, verb, precision)
    if sign == "+" and not flags.plus:
        return padded(digits, flags)
    if flags.zero and not flags.minus:  # the sign stands before the zeros
        return sign + padding(len(digits) + 1, flags) + digits
    return padded(sign + digits, flags)


def _no_number(value: float, flags: Flags) -> str:
    """Infinities always show their sign; what is not a number only where a flag asks for it."""
    if math.isnan(value):
        text = "+NaN" if flags.plus else " NaN" if flags.space else "NaN"
    elif value < 0:
        text = "-Inf"
    else:
        text = " Inf" if flags.space and not flags.plus else "+Inf"
    return padded(text, flags, zeros=False)


def _digits(value: float, verb: str, precision: int | None) -> str:
    """`value`, which has no sign, without width and flags."""
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
    """The fewest digits that read back as `value`, with an exponent below 0.0001 and from 1,000,000 on."""
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
    """`0x1.8p+01`: one binary digit, then as many hexadecimal ones as are needed or asked for, rounded half to even."""
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
    """The mantissa with all but `bits` of its fraction rounded away, half to even."""
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
    """`text` as `#` wants it: always with a point, and %g with the zeros that it usually drops."""
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
    """Mantissa and exponent of the stored form: value = mantissa * 2 ** (exponent - 52)."""
    bits = int.from_bytes(struct.pack(">d", value), "big")
    exponent, mantissa = bits >> _MANTISSA_BITS, bits & _FRACTION_MASK
    if exponent:
        mantissa |= 1 << _MANTISSA_BITS
    return mantissa, max(exponent, 1) - _EXPONENT_BIAS
