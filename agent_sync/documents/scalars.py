"""How values are spelled: single values, read and written alike, and whole documents in their one canonical text.

Programs disagree about words without quotes: `on` is true in YAML 1.1 and text in 1.2, `010` is 8 or 10, `1e5` is text
or a number. Here words are read as in YAML 1.2, and a number that the two do not agree on is refused. Text is written
without quotes only where no reader, the lock's Nix reader included, could take it for anything else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import compress, product
from json import JSONEncoder
from string import ascii_letters, digits
from typing import Any, TypeAlias

from agent_sync_oci.text import BIDI_CONTROLS, LINE_SEPARATORS, NONCHARACTERS, SURROGATES

# -- scalars -----------------------------------------------------------------------------------------------------------

Scalar: TypeAlias = "bool | int | float | str | None"
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

MAX_DEPTH = 64
"""How many mappings and lists may stand inside each other, the outermost included."""

MAX_SIMPLE_KEY = 1000
"""Characters of a key as spelled. YAML allows 1024 before the colon; longer ones are written after a `? `."""

MAX_INTEGER = 2**63 - 1
"""Whole numbers go from -MAX_INTEGER - 1 to MAX_INTEGER: what Nix, Go and JSON readers keep exact."""

# Never in a file as they are, only escaped: what terminals, editors and YAML 1.1 (which breaks lines at U+0085, U+2028
# and U+2029) treat each in their own way, and the bidirectional controls that show a reviewer another text
# (CVE-2021-42574).
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # but tab, line feed and carriage return
_HIDDEN = f"{_CONTROLS}{LINE_SEPARATORS}{BIDI_CONTROLS}\ufeff{NONCHARACTERS}{SURROGATES}"
UNWRITABLE = re.compile(rf"[\t{_HIDDEN}]|\r(?!\n)")

# Patterns of what is rare are texts, which `re` compiles, and keeps, at their first use.
_ESCAPED = f"[{_HIDDEN}]"
SURROGATE = f"[{SURROGATES}]"
_json_string = JSONEncoder(ensure_ascii=False).encode
_json_strings = JSONEncoder(ensure_ascii=False, separators=("\n", ":")).encode

_PLAIN = re.compile(r"[A-Za-z_./](?:[A-Za-z0-9_./@+()=,~:-]{0,510}[A-Za-z0-9_./@+()=,~-])?")
_PLAIN_KEY = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+()=,~-]{0,511}")
_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
_OTHER_WORDS = frozenset("".join(each) for word in _WORDS for each in product(*zip(word, word.upper(), strict=True)))
_OTHER_DOTTED = r"[.](?:[0-9_]|(?i:inf|nan)|[.][.])"

_PLAIN_FIRST = frozenset(ascii_letters + "_/")
_PLAIN_CHARACTERS = f"{ascii_letters}{digits}_./@+()=,~-".encode()
_LONGEST_PLAIN = 512

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_FIRST_OF_OTHERS = frozenset("+-.0123456789~nNtTfF")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?"
_AMBIGUOUS = (
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
    if re.fullmatch(_FLOAT, word) and len(word) <= 40 and math.isfinite(decimal := float(word)):
        return decimal
    if re.fullmatch(_AMBIGUOUS, word):
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
    if re.search(SURROGATE, quoted):
        raise ValueError("half of a surrogate pair is not text")
    return re.sub(_ESCAPED, lambda match: f"\\u{ord(match[0]):04x}", quoted)


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
    return text in _OTHER_WORDS or (text[0] == "." and re.match(_OTHER_DOTTED, text) is not None)


def _format_float(number: float) -> str:
    """Return the number with a point in any case: YAML 1.1 takes `1e+16` for text."""
    text = repr(number)
    return text if "." in text else text.replace("e", ".0e")


# -- digest tables -----------------------------------------------------------------------------------------------------

_HEXADECIMAL = b"0123456789abcdef"
_DIGEST_LENGTH = 64


class DigestTable(Mapping[str, dict[str, Value]]):
    """A map of files that have a digest and hardly more, in columns, since a lock may have 50,000 of them.

    Each of the `names` has its `sha256` of the `digests` and, if marked, is `executable: true`. It equals the mapping
    of mappings that it stands for, which is made when somebody looks into it.
    """

    def __init__(self, names: list[str], digests: list[str], executable: list[bool]) -> None:
        """ValueError if two names are the same, or what should be a digest is none."""
        if len(set(names)) < len(names) or not _are_digests(digests):
            raise ValueError("no table of digests")
        self.names = names
        self.digests = digests
        self.executable = executable

    def __getitem__(self, name: str) -> dict[str, Value]:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(self._files)

    @cached_property
    def _files(self) -> dict[str, dict[str, Value]]:
        rows = zip(self.names, self.digests, self.executable, strict=True)
        return {
            name: {"sha256": digest, "executable": True} if executable else {"sha256": digest}
            for name, digest, executable in rows
        }


def _are_digests(texts: list[str]) -> bool:
    """Return whether every text is 64 lower-case hexadecimal digits; all at once takes a tenth of one by one."""
    joined = "".join(texts).encode()
    return set(map(len, texts)) == {_DIGEST_LENGTH} and not joined.translate(None, _HEXADECIMAL)


# -- canonical text ----------------------------------------------------------------------------------------------------

_MAPPINGS = (dict, DigestTable)
_BLOCKS = (*_MAPPINGS, list)


def emit(document: Mapping[str, Any]) -> str:
    """Return the document, made of dict, list, str, int, float, bool and None, as canonical YAML; it ends with a line
    break.

    Raises:
        ValueError: it is deeper than `MAX_DEPTH`; a number or text in it has no spelling (see `format_scalar`).
        TypeError: it holds anything else.
    """
    lines: list[str] = []
    _put(lines, dict(document), indent=0, lead="", after="")
    return "".join(lines)


def emit_json(value: Any) -> bytes:  # noqa: ANN401  # whatever JSON can say
    """Return the value as canonical JSON, the bytes that recipes are digested from: sorted keys, no blanks, UTF-8.

    Raises:
        TypeError: a key is not text, or JSON cannot say the value.
        ValueError: a number is not finite; a text holds half of a surrogate pair.
    """
    _refuse_other_keys(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _put(lines: list[str], value: Any, *, indent: int, lead: str, after: str) -> None:  # noqa: ANN401
    """Append the value: a mapping or list begins its first line with `lead`, anything else follows on `after`."""
    if indent >= 2 * MAX_DEPTH and isinstance(value, _BLOCKS):
        raise ValueError(f"deeper than {MAX_DEPTH} levels")
    if isinstance(value, _MAPPINGS) and value:
        _put_mapping(lines, value, indent, lead)
    elif isinstance(value, list) and value:
        _put_list(lines, value, indent, lead)
    else:
        lines.append(f"{after}{'{}' if value == {} else '[]' if value == [] else format_scalar(value)}\n")


def _put_mapping(lines: list[str], mapping: dict[str, Any] | DigestTable, indent: int, lead: str) -> None:
    pad = " " * indent
    table = _digest_table(mapping, lead, pad)
    if table is not None:
        lines += table
        return
    deeper = pad + "  "
    for key, value in mapping.items():
        name = format_key(key)
        head = f"{lead}{name}:" if len(name) <= MAX_SIMPLE_KEY else f"{lead}? {name}\n{pad}:"
        if not isinstance(value, _BLOCKS):
            lines.append(f"{head} {format_scalar(value)}\n")
        elif not value:
            _put(lines, value, indent=indent + 2, lead="", after=f"{head} ")
        else:
            lines.append(f"{head}\n")
            _put(lines, value, indent=indent + 2, lead=deeper, after="")
        lead = pad


def _put_list(lines: list[str], items: list[Any], indent: int, lead: str) -> None:
    for item in items:
        _put(lines, item, indent=indent + 2, lead=f"{lead}- ", after=f"{lead}- ")
        lead = " " * indent


def _digest_table(files: dict[str, Any] | DigestTable, lead: str, pad: str) -> list[str] | None:
    """Return the text, in pieces, of a map of files that are `{sha256}` or `{sha256, executable: true}`; None for any
    other.

    The rest of `_put_mapping` would write the same, but slower: a lock has 50,000 of these.
    """
    table = files if isinstance(files, DigestTable) else _as_table(files)
    if table is None:
        return None
    keys = format_keys(table.names)
    if keys is not table.names and max(map(len, keys)) > MAX_SIMPLE_KEY:  # plain ones are short
        return None
    pieces = [pad, "", f":\n{pad}  sha256: ", "", "\n"] * len(keys)
    pieces[1::5] = keys
    pieces[3::5] = [f'"{digest}"' if digest < "a" else digest for digest in table.digests]  # digits before letters
    for number, executable in enumerate(table.executable):
        if executable:
            pieces[5 * number + 4] = f"\n{pad}  executable: true\n"
    pieces[0] = lead
    return pieces


def _as_table(files: dict[str, Any]) -> DigestTable | None:
    """Return the same in columns; None if the mapping is of another kind."""
    if not isinstance(next(iter(files.values())), dict):  # the mapping of nearly every call: ask before trying
        return None
    try:
        digests = [file["sha256"] for file in files.values()]
        executable = [len(file) > 1 for file in files.values()]
        for file in compress(files.values(), executable):
            if list(file) != ["sha256", "executable"] or file["executable"] is not True:
                return None
        return DigestTable(list(files), digests, executable)
    except (KeyError, TypeError, ValueError):
        return None


def _refuse_other_keys(value: Any) -> None:  # noqa: ANN401
    """Raise TypeError for a key that is not text: `json.dumps` would write the key 1 as "1", and so give two values one
    digest.
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key of a JSON object is text")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _refuse_other_keys(each)
