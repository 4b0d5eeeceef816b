"""Canonical JSON out, strict JSON in.

One form is written, so that the same value has the same digest everywhere; what two readers could take for two things
is not read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded
from agent_sync_oci.text import quoted

# -- canonical and strict JSON ---------------------------------------------------------------------------------------

MAX_DEPTH = 64
"""Lists and objects within each other. Signature bundles, the deepest documents read here, have less than 16."""

MAX_BRACKETS = 200_000
"""Lists and objects altogether: four megabytes of `[],` would be a hundred megabytes of lists."""

# The closing quote may be missing: the text then goes to the end, instead of being tried again from every later quote.
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def canonical_json(value: object) -> bytes:
    """Return the UTF-8 bytes of `value`: keys sorted by code point, no space, nothing escaped that need not be.

    Raises ValueError for what JSON cannot say: NaN, infinity, lone surrogates.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_json(content: bytes, *, subject: str) -> object:
    """Return the value in `content`; `subject` names it in errors. The caller has bounded its length.

    Raises:
        DigestMismatch: not JSON in UTF-8, or a key is there twice (two readers would take two values).
        LimitExceeded: deeper than MAX_DEPTH, or more than MAX_BRACKETS lists and objects.
    """
    _check_limits(content, subject)
    try:
        value: object = json.loads(
            content.decode(), object_pairs_hook=_each_key_once, parse_constant=_no_number, parse_float=_finite
        )
        if b"\\u" in content:
            canonical_json(value)  # a lone surrogate, which only an escape can write, has no UTF-8
    except ValueError as error:
        raise DigestMismatch(subject=subject, check=f"not strict JSON: {error}") from error
    return value


def _check_limits(content: bytes, subject: str) -> None:
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return
    depth = opened = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", content)):
        opens = bracket[0] in b"[{"
        depth += 1 if opens else -1
        opened += opens
        if depth > MAX_DEPTH:
            raise LimitExceeded(subject=subject, check=f"nested more than {MAX_DEPTH} levels deep")
        if opened > MAX_BRACKETS:
            raise LimitExceeded(subject=subject, check=f"more than {MAX_BRACKETS} lists and objects")


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, each in pairs:
        if key in value:
            raise ValueError(f"key {quoted(key)} is there twice")
        value[key] = each
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{quoted(text)} is not a number")


# -- objects of manifests --------------------------------------------------------------------------------------------

NOTHING: Mapping[str, str] = MappingProxyType({})
"""No annotations."""

MANIFEST_KEYS = frozenset({"config", "layers"})
INDEX_KEYS = frozenset({"manifests"})
OTHER_KEYS = frozenset({"fsLayers", "history", "signatures"})  # Docker's schema 1, which is neither
_KNOWN = MANIFEST_KEYS | INDEX_KEYS | OTHER_KEYS
_KNOWN |= {"annotations", "artifactType", "digest", "mediaType", "schemaVersion", "size", "subject"}
_FOLDED = {key.casefold(): key for key in _KNOWN}

_LARGEST = 2**63 - 1  # sizes are signed 64-bit integers in most clients
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")  # RFC 6838 §4.2


class StrictObject:
    """A value of `read_json` that must be an object, with fields that are checked when they are read.

    `subject` names it in errors, which are DigestMismatch.
    """

    def __init__(self, value: object, subject: str) -> None:
        self.subject = subject
        if not isinstance(value, dict):
            self.reject("not a JSON object")
        self.value: dict[str, object] = value
        for key in value:
            # Clients in Go take `Manifests` for `manifests`, and would see what is not read here.
            if key not in _KNOWN and (meant := _FOLDED.get(key.casefold())):
                self.reject(f"key {quoted(key)}, which some programs take for {quoted(meant)}")

    def reject(self, check: str) -> NoReturn:
        """Raise DigestMismatch: the object is not what an honest program writes."""
        raise DigestMismatch(
            subject=self.subject,
            check=check,
            remedy="do not use this artifact: ask its publisher, or fetch it from another registry",
        )

    def media_type(self, key: str) -> str | None:
        text = self.value.get(key)
        if text in (None, ""):  # clients in Go write an empty text for none
            return None
        if not isinstance(text, str) or _MEDIA_TYPE.fullmatch(text) is None:
            self.reject(f"{key} {quoted(text)} is not a media type")
        return text

    def digest(self) -> Digest:
        text = self.value.get("digest")
        try:
            return Digest.parse(text if isinstance(text, str) else "")
        except ValueError:
            self.reject(f"digest {quoted(text)} is not sha256: and 64 hexadecimal digits in lower case")

    def size(self) -> int:
        size = self.value.get("size")
        if type(size) is not int or not 0 <= size <= _LARGEST:
            self.reject(f"size {quoted(size)} is not a number of bytes")
        return size

    def annotations(self) -> Mapping[str, str]:
        found = self.value.get("annotations")
        if found is None:
            return NOTHING
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            self.reject("annotations are not a map from text to text")
        return MappingProxyType(found)
