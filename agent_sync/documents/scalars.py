"""Format scalars, and parse what a plain scalar means: shared by reader and writer, so that they agree.

Programs disagree about words without quotes: `on` is true in YAML 1.1 and text in 1.2, `010` is 8 or 10, `1e5` is text
or a number. Here words are read as in YAML 1.2, and a number that the two do not agree on is refused. Text is written
without quotes only where no reader, the lock's Nix reader included, could take it for anything else.
"""

from __future__ import annotations

import math
import re
from itertools import product
from json import JSONEncoder
from string import ascii_letters, digits
from typing import TypeAlias

from agent_sync_oci.text import BIDI_CONTROLS, LINE_SEPARATORS, NONCHARACTERS, SURROGATES

Scalar: TypeAlias = "bool | int | float | str | None"
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

MAX_DEPTH = 64
"""How many mappings and lists may stand inside each other, the outermost included."""

MAX_SIMPLE_KEY = 1000
"""Characters of a key as spelled. YAML allows 1024 before the colon; longer ones are written after a `? `."""

MAX_INTEGER = 2**63 - 1
"""Whole numbers go from -LARGEST - 1 to LARGEST: what Nix, Go and JSON readers keep exact."""

# Never in a file as they are, only escaped: what terminals, editors and YAML 1.1 (which breaks lines at U+0085, U+2028
# and U+2029) treat each in their own way, and the bidirectional controls that show a reviewer another text
# (CVE-2021-42574).
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # but tab, line feed and carriage return
_HIDDEN = f"{_CONTROLS}{LINE_SEPARATORS}{BIDI_CONTROLS}\ufeff{NONCHARACTERS}{SURROGATES}"
UNWRITABLE = re.compile(rf"[\t{_HIDDEN}]|\r(?!\n)")

_ESCAPED = re.compile(f"[{_HIDDEN}]")
SURROGATE = re.compile(f"[{SURROGATES}]")
_json_string = JSONEncoder(ensure_ascii=False).encode
_json_strings = JSONEncoder(ensure_ascii=False, separators=("\n", ":")).encode

_PLAIN = re.compile(r"[A-Za-z_./](?:[A-Za-z0-9_./@+()=,~:-]{0,510}[A-Za-z0-9_./@+()=,~-])?")
_PLAIN_KEY = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+()=,~-]{0,511}")
_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
_OTHER_WORDS = frozenset("".join(each) for word in _WORDS for each in product(*zip(word, word.upper(), strict=True)))
_OTHER_DOTTED = re.compile(r"[.](?:[0-9_]|(?i:inf|nan)|[.][.])")

_PLAIN_FIRST = frozenset(ascii_letters + "_/")
_PLAIN_CHARACTERS = f"{ascii_letters}{digits}_./@+()=,~-".encode()
_LONGEST_PLAIN = 512

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_FIRST_OF_OTHERS = frozenset("+-.0123456789~nNtTfF")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_AMBIGUOUS = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?0(?:[xX][0-9A-Fa-f_]+|[oO][0-7_]+|[bB][01_]+)|[-+]?\.(?i:inf|nan)"
)


class AmbiguousScalar(ValueError):
    """A word without quotes that programs read in different ways, or as a number that none can hold."""


def parse_scalar(word: str) -> Scalar:
    """Return the value of `word`, written without quotes.

    `yes`, `no`, `on`, `off`, dates (`2024-01-01`) and times (`12:30`) are text, as in YAML 1.2.

    Raises:
        AmbiguousScalar: it looks like a number that YAML 1.1 and 1.2 read differently (`010`, `1e5`, `0x1f`,
            `1_000`), or like one that is not finite or has more than 64 bits, as a digest without quotes may.
    """
    if word and word[0] not in _FIRST_OF_OTHERS:
        return word
    if word in _NULL:
        return None
    if word in _BOOLEAN:
        return _BOOLEAN[word]
    if _INTEGER.fullmatch(word) and len(word) <= 20 and -MAX_INTEGER - 1 <= (number := int(word)) <= MAX_INTEGER:
        return number
    if _FLOAT.fullmatch(word) and len(word) <= 40 and math.isfinite(decimal := float(word)):
        return decimal
    if _AMBIGUOUS.fullmatch(word):
        raise AmbiguousScalar(word)
    return word


def format_scalar(value: Scalar) -> str:
    """Return the value as it is written in a canonical file.

    Raises:
        ValueError: the number is not finite or has more than 64 bits; the text holds half of a surrogate pair.
        TypeError: it is none of these.
    """
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and not _is_ambiguous(value) else quote_scalar(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if not isinstance(value, int | float):
        raise TypeError(f"a document holds no {type(value).__name__}")
    if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER if isinstance(value, int) else not math.isfinite(value):
        raise ValueError("a number that is not finite, or has more than 64 bits, is not the same to every reader")
    return str(value) if isinstance(value, int) else _format_float(value)


def format_key(key: str) -> str:
    """Return the key as it is written before the colon.

    Raises:
        ValueError: it holds half of a surrogate pair.
        TypeError: it is not text.
    """
    return key if _PLAIN_KEY.fullmatch(key) and not _is_ambiguous(key) else quote_scalar(key)


def format_keys(keys: list[str]) -> list[str]:
    """Return each key as `format_key` does; all at once take a tenth of the time."""
    if _are_plain(keys):
        return keys
    quoted = _quote_all(keys)
    plain = _PLAIN_KEY.fullmatch
    return [key if plain(key) and not _is_ambiguous(key) else other for key, other in zip(keys, quoted, strict=True)]


def quote_scalar(text: str) -> str:
    """Return the text as a JSON string which is the same string in YAML; see `format_scalar` for what it raises."""
    return _escape_hidden(_json_string(text))


def _quote_all(texts: list[str]) -> list[str]:
    return _escape_hidden(_json_strings(texts)[1:-1]).split("\n")  # inside of a text a line break is escaped


def _escape_hidden(quoted: str) -> str:
    """Escape what JSON, but no file of ours, may hold as it is."""
    if quoted.isascii() and "\x7f" not in quoted:
        return quoted
    if SURROGATE.search(quoted):
        raise ValueError("half of a surrogate pair is not text")
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _are_plain(keys: list[str]) -> bool:
    """Return whether no key needs quotes or a second look; True is certain, False is not (it only costs time)."""
    joined = "".join(keys)
    return (
        joined.isascii()
        and not joined.encode().translate(None, _PLAIN_CHARACTERS)
        and {key[:1] for key in keys} <= _PLAIN_FIRST
        and _OTHER_WORDS.isdisjoint(keys)
        and max(map(len, keys), default=0) <= _LONGEST_PLAIN
    )


def _is_ambiguous(text: str) -> bool:
    """Return whether some reader takes the text, without quotes, for no text, although its characters are plain."""
    return text in _OTHER_WORDS or (text[0] == "." and _OTHER_DOTTED.match(text) is not None)


def _format_float(number: float) -> str:
    """Return the number with a point in any case: YAML 1.1 takes `1e+16` for text."""
    text = repr(number)
    return text if "." in text else text.replace("e", ".0e")
