"""Documents: the envelope around every result, what a failure says, and the JSON Schemas of all of them.

A document is a typed dictionary. Its fields read `name: Annotated[type, "what it says"]`, and their types are those of
JSON: `str`, `int`, `bool`, `list[...]`, another typed dictionary, and any of them or `None`.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from agent_sync.errors import AgentSyncError, PartialFailure, Place

if TYPE_CHECKING:
    from agent_sync.events import Warned


SCHEMA_VERSION = 1
_LAST_S = 253_402_300_799  # the end of the year 9999, which is as far as a date goes

Document = Mapping[str, object]


class PlaceDocument(TypedDict):
    """A place in a file."""

    file: Annotated[str, "the file, as messages name it"]
    line: Annotated[int, "the line, from 1"]
    column: Annotated[int, "the column, from 1"]


class WarningDocument(TypedDict):
    """A condition that is unusual but not an error."""

    rule: Annotated[str, "the name of the warning, which is stable"]
    subject: Annotated[str, "what the warning is about"]
    message: Annotated[str, "the warning, as one sentence"]
    place: Annotated[PlaceDocument | None, "the position in a file; null if there is none"]


class ErrorDocument(TypedDict):
    """One error."""

    rule: Annotated[str, "the name of the error, which is stable"]
    exit_code: Annotated[int, "the exit code of its family"]
    subject: Annotated[str, "what the error is about"]
    check: Annotated[str, "which check failed"]
    remedy: Annotated[str | None, "what to do; null if nothing is known"]
    place: Annotated[PlaceDocument | None, "the position in a file; null if there is none"]


class SourceErrorDocument(ErrorDocument):
    """The error of one source."""

    source: Annotated[str, "the name of the source"]


class Envelope(TypedDict):
    """The fields of every document."""

    schema_version: Annotated[int, "1; a new field does not raise the number"]
    command: Annotated[str, "the command, such as `sync` or `cache gc`"]
    exit_code: Annotated[int, "the exit code of the program"]
    warnings: Annotated[list[WarningDocument], "conditions that are unusual but not errors"]


class Failure(TypedDict):
    """The fields of a document about a failure."""

    error: NotRequired[Annotated[ErrorDocument, "the error; of several, the one that decides the exit code"]]
    failures: NotRequired[Annotated[list[SourceErrorDocument], "the error of each source that failed"]]
    rolled_back: NotRequired[Annotated[list[str], "the files that had already been changed and were restored"]]


def document_text(command: str, exit_code: int, *parts: Document, warnings: Sequence[Warned] = ()) -> str:
    """Return the document of a command as JSON, in ASCII: the envelope, with the fields of `parts` inside."""
    document: dict[str, object] = {"schema_version": SCHEMA_VERSION, "command": command, "exit_code": exit_code}
    for part in parts:
        document.update(part)
    return json.dumps({**document, "warnings": [warning_document(each) for each in warnings]}, indent=2) + "\n"


def plain_document(result: Document) -> Document:
    """Return the result of a command whose result is a document already."""
    return result


def failure_document(error: AgentSyncError) -> Failure:
    """Return what the document of a run that failed says of the error."""
    if isinstance(error, PartialFailure):
        decisive = error if error.reason is None else error.reason
        return {"error": error_document(decisive), "failures": failures_document(error.failures)}
    return {"error": error_document(error)}


def failures_document(failures: Mapping[str, AgentSyncError]) -> list[SourceErrorDocument]:
    """Return the error of each source, in the given order."""
    return [{"source": name, **error_document(error)} for name, error in failures.items()]


def error_document(error: AgentSyncError) -> ErrorDocument:
    """Return one error."""
    return {
        "rule": error.rule,
        "exit_code": error.exit_code,
        "subject": error.subject,
        "check": error.check,
        "remedy": error.remedy,
        "place": _place_document(error.place),
    }


def warning_document(warning: Warned) -> WarningDocument:
    """Return one warning."""
    return {
        "rule": warning.rule,
        "subject": warning.subject,
        "message": warning.message,
        "place": _place_document(warning.place),
    }


def iso_time(when_s: float) -> str:
    """Return seconds since 1970 as `2026-11-21T04:20:11Z` (RFC 3339)."""
    return datetime.fromtimestamp(min(max(when_s, 0.0), _LAST_S), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place_document(place: Place | None) -> PlaceDocument | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}


# -- JSON Schemas ------------------------------------------------------------------------------------------------------

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
