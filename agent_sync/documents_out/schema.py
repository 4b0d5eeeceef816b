"""JSON Schemas of typed dictionaries: each field with its type, and with the sentence that documents it.

A field reads `name: Annotated[type, "what it says"]`. Types are those of JSON: `str`, `int`, `bool`, `list[...]`,
another typed dictionary, and any of them or `None`.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from agent_sync.documents_out.envelope import Envelope, Failure

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}

Schema = dict[str, Any]


def document_schema_text(command: str, to_document: Callable[..., Any]) -> str:
    """Return what `schemas/documents/COMMAND.schema.json` holds: the JSON Schema of what `COMMAND --json` writes."""
    return json.dumps(document_schema(command, to_document), indent=2, ensure_ascii=False) + "\n"


def document_type(function: Callable[..., Any]) -> type[Any]:
    """Return the typed dictionary that a function is declared to return; it is in the function's module."""
    module = sys.modules[function.__module__]
    kind: type[Any] = getattr(module, inspect.get_annotations(function)["return"])
    return kind if is_typeddict(kind) else dict


def document_schema(command: str, to_document: Callable[..., Any]) -> Schema:
    """Return the JSON Schema of a command's document, which holds what `to_document` returns, an error, or both.

    Fields that the schema does not name are allowed: a later version may add some.
    """
    document = document_type(to_document)
    definitions: dict[str, Schema] = {}
    properties = {
        field.name: field.schema(definitions) for kind in (Envelope, document, Failure) for field in fields_of(kind)
    }
    return {
        "$schema": _DIALECT,
        "title": f"agent-sync {command} --json",
        "type": "object",
        "properties": properties | {"command": {"const": command}},
        "required": _required(Envelope),
        # A run that failed has its error in place of its result; one that failed in part has both.
        "anyOf": [{"required": _required(document)}, {"required": ["error"]}],
        "$defs": dict(sorted(definitions.items())),
    }


class Field:
    """One field of a typed dictionary: its name, its type, whether it must be there, and what it says."""

    def __init__(self, name: str, hint: Any) -> None:  # noqa: ANN401  # a type, whatever it consists of
        self.name = name
        self.required = get_origin(hint) is not NotRequired
        described = hint if self.required else get_args(hint)[0]
        self.type, self.description = get_args(described)[:2] if get_origin(described) is Annotated else (described, "")

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """Return the field's schema; typed dictionaries below it are added to `definitions`."""
        described = {"description": self.description} if self.description else {}
        return {**described, **_type_schema(self.type, definitions)}

    @property
    def members(self) -> tuple[Field, ...]:
        """The fields of the typed dictionary that the field holds, or holds a list of; empty for anything else."""
        return next((tuple(fields_of(kind)) for kind in _dictionaries(self.type)), ())


def fields_of(kind: type[Any]) -> Iterator[Field]:
    """Yield the fields of a typed dictionary, those that it inherits first."""
    # Not `__required_keys__`: that is wrong where annotations are strings (PEP 563), as they are here.
    hints: Mapping[str, Any] = get_type_hints(kind, include_extras=True)
    return (Field(name, hint) for name, hint in hints.items())


def _required(kind: type[Any]) -> list[str]:
    return [field.name for field in fields_of(kind) if field.required]


def _type_schema(kind: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if is_typeddict(kind):
        return {"$ref": f"#/$defs/{_define(kind, definitions)}"}
    if get_origin(kind) is list:
        return {"type": "array", "items": _type_schema(get_args(kind)[0], definitions)}
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [_type_schema(each, definitions) for each in get_args(kind)]}
    raise TypeError(f"{kind} is no type of a document")


def _define(kind: type[Any], definitions: dict[str, Schema]) -> str:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # a dictionary may hold itself
        definitions[name] = {
            "type": "object",
            "properties": {field.name: field.schema(definitions) for field in fields_of(kind)},
            "required": _required(kind),
        }
    return name


def _dictionaries(kind: Any) -> Iterator[type[Any]]:  # noqa: ANN401
    if is_typeddict(kind):
        yield kind
    for each in get_args(kind):
        yield from _dictionaries(each)
