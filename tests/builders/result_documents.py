"""What `--json` writes, held against the schema of its command: a field that the schema lacks is a fault as well."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from agent_sync.cli.program import COMMANDS
from agent_sync.cli.run import Verb
from agent_sync.documents_out.document import (
    Envelope,
    Schema,
    document_schema,
    document_type,
    fields_of,
    plain_document,
)


def validated(text: str) -> dict[str, Any]:
    """Return the document; it is valid, and has no field that its schema does not name."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, _closed_schema(document["command"]))
    return document


def verb_of(command: str) -> Verb:
    """Return the command of this name, such as `cache gc`."""
    return next(verb for verb in COMMANDS.verbs() if verb.name == command)


def documented_fields(command: str) -> set[str]:
    """Return the names of the fields that the document of a command has if nothing failed."""
    kinds = (Envelope, document_type(verb_of(command).to_document))
    return {field.name for kind in kinds for field in fields_of(kind)}


@cache
def _closed_schema(command: str) -> Schema:
    verbs = {verb.name: verb.to_document for verb in COMMANDS.verbs()}
    return _closed(
        document_schema(command, verbs.get(command, plain_document))
    )  # an incomplete command has only errors


def _closed(schema: Schema) -> Schema:
    objects = [schema, *schema["$defs"].values()]
    closed = [{**each, "additionalProperties": False} for each in objects]
    return {**closed[0], "$defs": dict(zip(schema["$defs"], closed[1:], strict=True))}
