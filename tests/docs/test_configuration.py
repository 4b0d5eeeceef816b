"""docs/reference/configuration.md against the models that read the configuration: no key is missing, none invented."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from agent_sync.config.fields import parse_duration, parse_size
from agent_sync.config.discovery import Environment, discover
from agent_sync.config.schema import config_schema_text, policy_schema_text
from agent_sync.config.effective import TOOL_MAPS, ToolDirectory
from agent_sync.limits import Limits
from tests.architecture.tree import PACKAGES
from tests.docs.pages import codes, inline_code, rows, section, text_of

PAGE = "docs/reference/configuration.md"
SCHEMA: dict[str, Any] = json.loads(config_schema_text())
_COMMON = ("name", "type", "limits", "allow")

# Heading -> the schema's definition ("" is the file itself), less the keys that stand under another heading.
_SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Top level": ("", ()),
    "Git sources": ("GitSource", _COMMON),
    "URL sources": ("UrlSource", _COMMON),
    "Local sources": ("LocalSource", _COMMON),
    "Targets": ("Target", ()),
    "Tool definitions": ("ToolDefinition", ()),
    "Overrides": ("Override", ()),
    "Template transforms": ("TemplateTransform", ()),
    "Custom transforms": ("CustomTransform", ()),
    "Limits": ("LimitsConfig", ()),
    "Security": ("SecurityConfig", ()),
    "Bundle": ("BundleConfig", ()),
    "Trust": ("TrustConfig", ()),
}


def _schema(definition: str) -> dict[str, Any]:
    found = SCHEMA["$defs"][definition] if definition else SCHEMA
    assert isinstance(found, dict)
    return found


def _table(heading: str) -> dict[str, tuple[str, ...]]:
    """Key -> its row, for a section of the page."""
    return {codes(row[0])[0]: row for row in rows(section(PAGE, heading))}


@pytest.mark.parametrize("heading", _SECTIONS)
def test_every_key_has_a_row_and_every_row_a_key(heading: str) -> None:
    definition, elsewhere = _SECTIONS[heading]
    assert set(_table(heading)) == set(_schema(definition)["properties"]) - set(elsewhere)


def test_no_key_of_any_part_is_left_out() -> None:
    mentioned = set(inline_code(PAGE))
    for name, part in SCHEMA["$defs"].items():
        assert set(part["properties"]) <= mentioned, name


def test_what_all_sources_have_stands_once() -> None:
    common = set.intersection(*(set(_schema(name)["properties"]) for name in ("GitSource", "UrlSource", "LocalSource")))
    assert set(_table("Every source")) == common == set(_COMMON)


@pytest.mark.parametrize("heading", _SECTIONS)
def test_required_is_what_the_schema_requires(heading: str) -> None:
    definition, elsewhere = _SECTIONS[heading]
    required = {key for key, row in _table(heading).items() if row[2] == "required"}
    assert required == set(_schema(definition).get("required", ())) - set(elsewhere)


@pytest.mark.parametrize("heading", [*_SECTIONS, "Every source"])
def test_a_choice_names_every_value(heading: str) -> None:
    definition = _SECTIONS.get(heading, ("GitSource", ()))[0]
    for key, row in _table(heading).items():
        values = [value for value in _values(_schema(definition)["properties"][key]) if isinstance(value, str)]
        if heading != "Every source" or key != "type":
            assert set(values) <= set(codes(row[1])), key


def _values(schema: dict[str, Any]) -> list[Any]:
    """The words that a key may have."""
    inside = schema.get("items", schema)
    return list(inside.get("enum", [inside["const"]] if "const" in inside else []))


def test_the_default_limits_are_those_of_the_program() -> None:
    stated = {key: codes(row[2])[0] for key, row in _table("Limits").items()}
    assert Limits() == Limits(
        max_file_size=parse_size(stated["max_file_size"]),
        max_source_size=parse_size(stated["max_source_size"]),
        max_files=int(stated["max_files"]),
        fetch_timeout_s=parse_duration(stated["fetch_timeout"]),
        command_timeout_s=parse_duration(stated["command_timeout"]),
    )
    assert len(stated) == len(fields(Limits))


def test_the_tool_maps_are_those_of_the_program() -> None:
    columns = {row[0].strip("`"): row[1:] for row in rows(section(PAGE, "Tool maps"))}
    for position, tool_map in enumerate(("spec-v1", "2026-11")):
        assert {tool: cells[position] for tool, cells in columns.items()} == {
            tool: _place(place) for tool, place in TOOL_MAPS[tool_map].items()
        }
    assert set(TOOL_MAPS) == {"spec-v1", "2026-11"}


def _place(place: ToolDirectory) -> str:
    return f"`{place.destination}/`" + (" (shared)" if place.shared else "")


def test_the_layers_lie_where_discovery_looks() -> None:
    found = discover(Environment(cwd="/p", home="/h"))
    assert found.system is not None
    assert found.user is not None
    page = section(PAGE, "Layers")
    assert f"`{found.system.path}`" in page
    assert found.user.path == "/h/.config/agent-sync/agent-sync.yaml"
    assert f"`{found.policies[0].path}`" in section(PAGE, "The machine's policy")


def test_every_merge_rule_of_a_key_stands_there() -> None:
    merging = {key for row in rows(section(PAGE, "Layers")) for key in codes(row[0])}
    assert set(SCHEMA["properties"]) <= merging


def test_the_policys_keys_are_named() -> None:
    policy = section(PAGE, "The machine's policy")
    for key in json.loads(policy_schema_text())["properties"]:
        assert f"`{key}`" in policy


def test_every_variable_that_the_program_reads_is_in_the_table() -> None:
    table = {code for row in rows(section(PAGE, "Environment variables")) for code in codes(row[0])}
    read = "\n".join(path.read_text(encoding="utf-8") for top in PACKAGES.values() for path in top.rglob("*.py"))
    for variable in table:
        assert f'"{variable}"' in read, variable
    given_to_commands = {"AGENT_SYNC_INPUT", "AGENT_SYNC_OUTPUT"}
    assert set(re.findall(r'"(AGENT_SYNC_[A-Z_]+[A-Z])"', read)) - given_to_commands <= table
    assert "AGENT_SYNC_INPUT" in text_of("docs/how-to/custom-commands.md")
