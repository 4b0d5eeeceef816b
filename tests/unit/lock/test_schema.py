"""The JSON Schema of a lock and its reader refuse the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from agent_sync.documents import emit
from agent_sync.errors import LockInvalid
from agent_sync.lock.file import read_lock
from agent_sync.lock.schema import lock_schema_text
from agent_sync.sources import TYPES
from tests.unit.lock.test_spelling import EVERYTHING

SCHEMA = json.loads(lock_schema_text())
DEFINITIONS = {"": SCHEMA, **SCHEMA["$defs"]}


def _values(node: Any, schema: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """The path to every value of the document that the schema describes."""
    for option in schema.get("anyOf", ()):
        schema = option if option.get("type") != "null" else schema
    schema = DEFINITIONS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            below = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            assert isinstance(below, dict), f"the schema does not have {(*path, key)}"
            yield from _values(value, below, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _values(value, schema["items"], (*path, index))


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(EVERYTHING.write()))
    return document


PATHS = [path for path in _values(_document(), SCHEMA) if path]


def test_a_lock_that_has_everything_fits_the_schema() -> None:
    jsonschema.validate(_document(), SCHEMA)
    assert len(PATHS) > 60
    assert SCHEMA["$defs"]["SourceDoc"]["properties"]["type"]["enum"] == list(TYPES)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_another_kind_is_refused_by_both(path: tuple[str | int, ...]) -> None:
    document = _document()
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
    with pytest.raises(LockInvalid):
        read_lock(emit(document).encode())
