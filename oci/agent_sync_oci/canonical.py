"""JSON: one spelling out, so that the same value has the same digest everywhere; strictly in, so that no two readers
can take one text for two things.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from agent_sync_oci.errors import ContentLies, TooMuch, shown

MAX_DEPTH = 64
"""Lists and objects within each other. Signature bundles, the deepest of what we read, have less than 16."""

MAX_BRACKETS = 200_000
"""Lists and objects altogether: four megabytes of `[],` would be a hundred megabytes of lists."""

# The closing quote may be missing: the text then goes to the end, instead of being tried again from every later quote.
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def canonical_json(value: object) -> bytes:
    """The UTF-8 bytes of `value`: keys sorted by code point, no space, nothing escaped that need not be.

    Raises ValueError for what JSON cannot say: NaN, infinity, lone surrogates.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_json(content: bytes, *, subject: str) -> object:
    """The value that `content` spells; `subject` names it in errors. The caller has bounded its length.

    Raises:
        ContentLies: it is not JSON in UTF-8, or says something twice (two readers would take two values).
        TooMuch: it is deeper than MAX_DEPTH, or has more than MAX_BRACKETS lists and objects.
    """
    _refuse_too_much(content, subject)
    try:
        value: object = json.loads(
            content.decode(), object_pairs_hook=_each_key_once, parse_constant=_no_number, parse_float=_finite
        )
        if b"\\u" in content:
            canonical_json(value)  # a lone surrogate, which only an escape can spell, has no UTF-8
    except ValueError as error:
        raise ContentLies(subject=subject, check=f"it is not strict JSON: {error}") from error
    return value


def _refuse_too_much(content: bytes, subject: str) -> None:
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return
    depth = opened = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", content)):
        opens = bracket[0] in b"[{"
        depth += 1 if opens else -1
        opened += opens
        if depth > MAX_DEPTH:
            raise TooMuch(subject=subject, check=f"it is nested more than {MAX_DEPTH} levels deep")
        if opened > MAX_BRACKETS:
            raise TooMuch(subject=subject, check=f"it has more than {MAX_BRACKETS} lists and objects")


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, each in pairs:
        if key in value:
            raise ValueError(f"the key {shown(key)} is there twice")
        value[key] = each
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{shown(text)} is no number")
