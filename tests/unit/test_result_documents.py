"""Documents of results: the JSON Schema follows from the types, and has the sentence of each field."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

import jsonschema  # type: ignore[import-untyped]
import pytest

from agent_sync.cli.program import COMMANDS
from agent_sync.documents_out.document import document_schema, document_text, document_type, failure_document, fields_of
from agent_sync.errors import LockMissing, Place
from agent_sync.events import Warned
from tests.builders.result_documents import validated


class Leaf(TypedDict):
    """A leaf."""

    name: Annotated[str, "its name"]
    size: Annotated[int | None, "its size"]


class Tree(TypedDict):
    """A tree."""

    leaves: Annotated[list[Leaf], "its leaves"]
    tall: Annotated[bool, "whether it is tall"]
    planted: NotRequired[Annotated[str, "when it was planted"]]


def tree_document(_result: object) -> Tree:
    return {"leaves": [{"name": "a", "size": None}], "tall": True}


def test_a_schema_has_the_type_and_the_sentence_of_every_field() -> None:
    schema = document_schema("grow", tree_document)
    assert schema["properties"]["leaves"] == {
        "description": "its leaves",
        "type": "array",
        "items": {"$ref": "#/$defs/Leaf"},
    }
    assert schema["$defs"]["Leaf"] == {
        "type": "object",
        "properties": {
            "name": {"description": "its name", "type": "string"},
            "size": {"description": "its size", "anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["name", "size"],
    }
    assert schema["properties"]["command"] == {"const": "grow"}


def test_what_need_not_be_there_is_not_required() -> None:
    required = document_schema("grow", tree_document)["anyOf"][0]["required"]
    assert required == ["leaves", "tall"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"leaves": [], "tall": "yes"}, "'yes' is not of type 'boolean'"),
        ({"leaves": [{"name": "a"}], "tall": True}, "'size' is a required property"),
        ({"leaves": []}, "is not valid under any of the given schemas"),
    ],
)
def test_a_document_that_is_otherwise_is_invalid(broken: dict[str, object], message: str) -> None:
    schema = document_schema("grow", tree_document)
    envelope = {"schema_version": 1, "command": "grow", "exit_code": 0, "warnings": []}
    jsonschema.validate({**envelope, **tree_document(None)}, schema)
    with pytest.raises(jsonschema.ValidationError, match=message):
        jsonschema.validate({**envelope, **broken}, schema)


def test_every_field_of_every_command_has_a_sentence() -> None:
    found = [
        f"{verb.name}: {field.name}"
        for verb in COMMANDS.verbs()
        for field in fields_of(document_type(verb.to_document))
        if not field.description or not all(member.description for member in field.members)
    ]
    assert found == []


def test_every_command_has_a_document_of_its_own() -> None:
    assert [verb.name for verb in COMMANDS.verbs() if document_type(verb.to_document) is dict] == []


def test_a_run_that_failed_has_its_error_and_the_places() -> None:
    place = Place("agent-sync.yaml", 2, 3, "a: b")
    error = LockMissing(subject="agent-sync.lock", check="no such file", place=place)
    warning = Warned("unknown-key", "agent-sync.yaml", "unknown key", place)

    document = validated(document_text("sync", 4, failure_document(error), warnings=[warning]))
    assert document["error"]["place"] == {"file": "agent-sync.yaml", "line": 2, "column": 3}
    assert document["warnings"][0]["place"] == document["error"]["place"]
    assert document["error"]["exit_code"] == document["exit_code"] == 4


def test_a_field_that_the_schema_lacks_is_a_fault_in_tests() -> None:
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        validated(document_text("sync", 0, {"surprise": 1}))
