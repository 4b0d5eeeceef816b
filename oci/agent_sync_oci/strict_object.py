"""An object of a manifest's JSON, whose fields come out checked (OCI image spec 1.1, descriptor.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, shown

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
    """A value out of `read_json` that must be an object; `subject` names it in errors, which are ContentLies."""

    def __init__(self, value: object, subject: str) -> None:
        self.subject = subject
        if not isinstance(value, dict):
            self.lies("it is no JSON object")
        self.value: dict[str, object] = value
        for key in value:
            # Clients in Go take `Manifests` for `manifests`, so that one of them would see what we do not.
            if key not in _KNOWN and (meant := _FOLDED.get(key.casefold())):
                self.lies(f"it has the key {shown(key)}, which some programs take for {meant!r}")

    def lies(self, check: str) -> NoReturn:
        raise ContentLies(
            subject=self.subject, check=check, remedy="do not use it: ask whoever published it, or fetch it elsewhere"
        )

    def media_type(self, key: str) -> str | None:
        text = self.value.get(key)
        if text in (None, ""):  # clients in Go write an empty text for none
            return None
        if not isinstance(text, str) or _MEDIA_TYPE.fullmatch(text) is None:
            self.lies(f"its {key} {shown(text)} is no media type")
        return text

    def digest(self) -> Digest:
        text = self.value.get("digest")
        try:
            return Digest.parse(text if isinstance(text, str) else "")
        except ValueError:
            self.lies(f"its digest {shown(text)} is not sha256: and 64 digits in lower case")

    def size(self) -> int:
        size = self.value.get("size")
        if type(size) is not int or not 0 <= size <= _LARGEST:
            self.lies(f"its size {shown(size)} is no number of bytes")
        return size

    def annotations(self) -> Mapping[str, str]:
        found = self.value.get("annotations")
        if found is None:
            return NOTHING
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            self.lies("its annotations are no map from text to text")
        return MappingProxyType(found)
