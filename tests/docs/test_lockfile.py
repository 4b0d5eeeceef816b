"""docs/reference/lockfile.md: its example is a lock in canonical spelling, and every field is explained."""

from __future__ import annotations

import json
import re

from agent_sync.lock.schema import lock_schema_text
from agent_sync.lock.file import read_lock
from agent_sync.lock.file import lock_bytes
from agent_sync.sources import TYPES, source_type
from tests.docs.pages import Block, blocks, codes, rows, section, text_of

PAGE = "docs/reference/lockfile.md"
_EXPLAINED_UNDER = {
    "LockDoc": "The file",
    "SourceDoc": "A source",
    "ResolvedDoc": "Resolved",
    "TransformedDoc": "Transformed and rendered",
    "RenderedDoc": "Transformed and rendered",
    "PlacementDoc": "An output",
}


def _example() -> Block:
    [example] = [block for block in blocks(PAGE) if block.file == "agent-sync.lock"]
    return example


def _lock_text() -> bytes:
    return _example().text.partition("\n")[2].encode()


def test_the_example_is_a_lock_in_its_canonical_spelling() -> None:
    text = _lock_text()
    assert lock_bytes(read_lock(text)) == text


def test_the_example_has_every_part_of_a_lock() -> None:
    lock = read_lock(_lock_text())
    assert {source.declaration.type for source in lock.sources} == {"git", "url", "local"}
    assert lock.sources[0].transformed is not None
    assert lock.outputs
    assert lock.rendered is not None
    assert lock.orphans


def test_every_field_is_explained() -> None:
    schema = json.loads(lock_schema_text())
    definitions = {"LockDoc": schema, **schema["$defs"]}
    for name, heading in _EXPLAINED_UNDER.items():
        explained = {code for row in rows(section(PAGE, heading)) for code in codes(row[0])}
        assert set(definitions[name]["properties"]) <= explained, heading
    of_files = {"FileDoc", "OwnedFileDoc"}
    assert set(schema["$defs"]) == {*_EXPLAINED_UNDER, *of_files} - {"LockDoc"}
    for name in of_files:
        for field in schema["$defs"][name]["properties"]:
            assert f"`{field}" in text_of(PAGE), field


def test_the_fields_that_make_a_source_stale_are_those_that_are_compared() -> None:
    [row] = [row for row in rows(section(PAGE, "Staleness")) if row[0] == "a source"]
    fields = [field for name in TYPES for field in source_type(name).declaration.recorded_fields()]
    assert codes(row[1])[0].split() == ["type", *dict.fromkeys(fields)]


def test_the_order_of_keys_is_that_of_the_example() -> None:
    top = re.findall(r"^(\w+):", _example().text, re.MULTILINE)
    assert top == [codes(row[0])[0] for row in rows(section(PAGE, "The file"))]
