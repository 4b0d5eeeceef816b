"""What `--json` writes, held against the schema of its command: a field that the schema lacks is a fault as well."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from agent_sync.cli.parser import GROUPS, load_verb
from agent_sync.documents_out.envelope import Envelope, plain_document
from agent_sync.documents_out.schema import Schema, document_schema, document_type, fields_of


def validated(text: str) -> dict[str, Any]:
    """Return the document; it is valid, and has no field that its schema does not name."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, _closed_schema(document["command"]))
    return document


def documented_fields(command: str) -> set[str]:
    """Return the names of the fields that the document of a command has if nothing failed."""
    kinds = (Envelope, document_type(load_verb(command.replace(" ", "_")).to_document))
    return {field.name for kind in kinds for field in fields_of(kind)}


@cache
def _closed_schema(command: str) -> Schema:
    if command in ("", *GROUPS):  # a command line without a command has only errors
        return _closed(document_schema(command, plain_document))
    return _closed(document_schema(command, load_verb(command.replace(" ", "_")).to_document))


def _closed(schema: Schema) -> Schema:
    objects = [schema, *schema["$defs"].values()]
    closed = [{**each, "additionalProperties": False} for each in objects]
    return {**closed[0], "$defs": dict(zip(schema["$defs"], closed[1:], strict=True))}
