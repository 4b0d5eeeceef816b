"""Make the JSON Schema of the lock, for editors, from the readers of its tables.

The readers run over tables that answer every question and note it: what is asked for is what the schema has. So a key
cannot be read and be missing here, and a source type brings its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent_sync.documents import read_document
from agent_sync.errors import LockInvalid
from agent_sync.lock.model import Lock
from agent_sync.sources import TYPES
from agent_sync.sources.table import FLAG, TEXT, Files, Kind, Table
from agent_sync.tree import Entry, RelPath, Sha256

_TITLES = {
    "sources": ("SourceDoc", "One source: the declaration as it was locked, what it resolved to, and its status."),
    "resolved": ("ResolvedDoc", "What a source resolved to, by its type."),
    "transformed": ("TransformedDoc", "The files that the transforms of a source derived."),
    "outputs": (
        "PlacementDoc",
        "Where a source's files go: the path of each is `to` followed by the name of the file.",
    ),
    "rendered": ("RenderedDoc", "Outputs derived by overrides, by output path."),
}
_FILE = ("FileDoc", "One locked file. `sha256` should have 64 hexadecimal digits, which is checked when it is used.")
_OWNED_FILE = ("OwnedFileDoc", "A file and the source that it comes from.")
_SHA256 = Sha256("0" * 64)


def lock_schema_text() -> str:
    """Return what `schemas/agent-sync.lock.schema.json` holds."""
    definitions: dict[str, dict[str, Any]] = {}
    for name in TYPES:
        table = _Questions("", source_type=name)
        Lock.read(table)
        table.define("", "agent-sync.lock, version 1.", definitions)
    whole = definitions.pop("")
    schema = {"$defs": dict(sorted(definitions.items())), **whole, "title": "agent-sync.lock"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _Questions(Table):
    """A table that has an answer to everything, and notes what it is asked."""

    def __init__(self, key: str, *, source_type: str) -> None:
        document = read_document(b"version: 1\n", file="", error=LockInvalid, max_bytes=1 << 10)
        super().__init__(document.data, document)
        self._key = key
        self._source_type = source_type
        self._below: list[_Questions] = []
        self._files: dict[str, dict[str, Any]] = {}
        self._properties: dict[str, dict[str, Any]] = {}
        self._required: list[str] = []

    def define(self, title: str, description: str, definitions: dict[str, dict[str, Any]]) -> None:
        """Add this table and those below to `definitions`; what another source type asked of it joins in."""
        other = definitions.get(title)
        required = [key for key in self._required if other is None or key in other.get("required", ())]
        properties = {**({} if other is None else other["properties"]), **self._properties}
        definitions[title] = _object(description, properties, required)
        definitions.update(self._files)
        for table in self._below:
            table.define(*_TITLES[table._key], definitions)

    def required(self, key: str, kind: Kind) -> object:
        self._required.append(key)
        return self.optional(key, kind, None)

    def optional(self, key: str, kind: Kind, default: object) -> object:  # noqa: ARG002  # it has an answer
        self._properties[key] = dict(kind.schema)
        return kind.example

    def choice(self, key: str, known: Sequence[str]) -> str:
        self._required.append(key)
        self._properties[key] = {"type": "string", "enum": list(known)}
        return self._source_type

    def table(self, key: str) -> Table:
        self._required.append(key)
        return self._ask_below(key)

    def table_or_none(self, key: str, *, nullable: bool = False) -> Table:
        table = self._ask_below(key)
        self._properties[key] = _or_null(self._properties[key], nullable=nullable)
        return table

    def tables(self, key: str, *, nullable: bool = False) -> list[Table]:
        table = self._ask_below(key)
        self._properties[key] = _or_null({"type": "array", "items": self._properties[key]}, nullable=nullable)
        return [table]

    def _ask_below(self, key: str) -> Table:
        table = _Questions(key, source_type=self._source_type)
        self._below.append(table)
        self._properties[key] = {"$ref": f"#/$defs/{_TITLES[key][0]}"}
        return table

    def files(self, key: str, *, required: bool = True, owned: bool = False) -> Files:
        if required:
            self._required.append(key)
        title, description = _OWNED_FILE if owned else _FILE
        properties = {"sha256": TEXT.schema, "executable": FLAG.schema, **({"source": TEXT.schema} if owned else {})}
        self._files[title] = _object(description, properties, ["sha256"])
        self._properties[key] = {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{title}"}}
        path = RelPath("x")
        return Files([path], [Entry(_SHA256)], {path: "x"} if owned else {}, {})


def _object(description: str, properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    schema = {"type": "object", "description": description, "properties": dict(properties)}
    return {**schema, **({"required": list(required)} if required else {}), "additionalProperties": True}


def _or_null(schema: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema
