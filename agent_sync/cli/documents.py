"""Results as one JSON document: `schema_version`, the command, its exit code, its fields, and every warning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from agent_sync.errors import AgentSyncError, PartialFailure, Place
from agent_sync.events import Warned

SCHEMA_VERSION = 1

Fields = Mapping[str, object]

ENVELOPE = {
    "schema_version": "1; a field that is added does not raise it",
    "command": "the command, such as `sync` or `cache gc`",
    "exit_code": "the exit code of the program",
    "warnings": "what is odd but not wrong: `rule`, `subject`, `message`, and `place` (as in `error`)",
}
ON_FAILURE = {
    "error": "the error: `rule`, its `exit_code`, `subject`, `check`, `remedy` (or null), and `place` (`file`, `line`,"
    " `column`; or null)",
    "failures": "where some sources failed: the error of each, and its `source`",
    "rolled_back": "the files that had been changed already and are as they were before",
}


def document(command: str, exit_code: int, *parts: Fields, warnings: Sequence[Warned] = ()) -> str:
    """The text of the document, without a character that is not ASCII."""
    envelope = {"schema_version": SCHEMA_VERSION, "command": command, "exit_code": exit_code}
    told = [
        {"rule": each.rule, "subject": each.subject, "message": each.message, "place": _place_fields(each.place)}
        for each in warnings
    ]
    merged: dict[str, object] = dict(envelope)
    for part in parts:
        merged.update(part)
    return json.dumps({**merged, "warnings": told}, indent=2) + "\n"


def failure_fields(error: AgentSyncError) -> Fields:
    """What the document of a run that failed says of the error."""
    if isinstance(error, PartialFailure):
        speaker = error if error.reason is None else error.reason
        return {"error": error_fields(speaker), "failures": failures_fields(error.failures)}
    return {"error": error_fields(error)}


def failures_fields(failures: Mapping[str, AgentSyncError]) -> Sequence[Fields]:
    """The error of each source."""
    return [{"source": name, **error_fields(error)} for name, error in failures.items()]


def error_fields(error: AgentSyncError) -> Fields:
    """One error."""
    return {
        "rule": error.rule,
        "exit_code": error.exit_code,
        "subject": error.subject,
        "check": error.check,
        "remedy": error.remedy,
        "place": _place_fields(error.place),
    }


def _place_fields(place: Place | None) -> Fields | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}
