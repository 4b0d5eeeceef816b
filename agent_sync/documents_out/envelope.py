"""What every document has: the envelope around a result, and what a run that failed says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

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
    """Something odd that is not wrong."""

    rule: Annotated[str, "the name of the warning, which is stable"]
    subject: Annotated[str, "what it is about"]
    message: Annotated[str, "one sentence"]
    place: Annotated[PlaceDocument | None, "where it is in a file"]


class ErrorDocument(TypedDict):
    """One error."""

    rule: Annotated[str, "the name of the error, which is stable"]
    exit_code: Annotated[int, "the exit code of its family"]
    subject: Annotated[str, "what it is about"]
    check: Annotated[str, "which check failed"]
    remedy: Annotated[str | None, "what to do"]
    place: Annotated[PlaceDocument | None, "where it is in a file"]


class SourceErrorDocument(ErrorDocument):
    """The error of one source."""

    source: Annotated[str, "the name of the source"]


class Envelope(TypedDict):
    """What every document has."""

    schema_version: Annotated[int, "1; a new field does not raise the number"]
    command: Annotated[str, "the command, such as `sync` or `cache gc`"]
    exit_code: Annotated[int, "the exit code of the program"]
    warnings: Annotated[list[WarningDocument], "what is odd but not wrong"]


class Failure(TypedDict):
    """What a document has where something failed."""

    error: NotRequired[Annotated[ErrorDocument, "the error; of several, the one that decides the exit code"]]
    failures: NotRequired[Annotated[list[SourceErrorDocument], "where some sources failed, the error of each"]]
    rolled_back: NotRequired[
        Annotated[list[str], "the files that had been changed already and are as they were before"]
    ]


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
