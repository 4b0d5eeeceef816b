"""The JSON Schemas say the same as the reader: what they require, and what they leave open."""

from __future__ import annotations

import json
from typing import Any

from agent_sync.config.model import ConfigFile, PolicyFile
from agent_sync.config.schema import config_schema_text, policy_schema_text

SCHEMA: dict[str, Any] = json.loads(config_schema_text())


def test_the_schema_has_every_key_and_requires_the_version_alone() -> None:
    assert set(SCHEMA["properties"]) == set(ConfigFile.model_fields)
    assert SCHEMA["required"] == ["version"]
    assert SCHEMA["properties"]["version"]["const"] == 1


def test_a_source_requires_its_type_and_what_its_type_needs() -> None:
    required = {name: set(SCHEMA["$defs"][name]["required"]) for name in ("GitSource", "UrlSource", "LocalSource")}
    assert required == {
        "GitSource": {"type", "name", "repo", "ref"},
        "UrlSource": {"type", "name", "url", "checksum"},
        "LocalSource": {"type", "name", "path"},
    }


def test_a_target_has_tools_or_a_destination() -> None:
    assert SCHEMA["$defs"]["Target"]["oneOf"] == [{"required": ["tools"]}, {"required": ["destination"]}]


def test_r114_unknown_keys_are_left_open() -> None:
    assert "additionalProperties" not in SCHEMA
    assert all("additionalProperties" not in part for part in SCHEMA["$defs"].values())


def test_every_key_but_a_type_is_explained() -> None:
    for name, part in {**SCHEMA["$defs"], "": SCHEMA}.items():
        unexplained = [key for key, value in part["properties"].items() if "description" not in value and key != "type"]
        assert unexplained == [], name


def test_the_policys_schema_has_its_keys_and_requires_none() -> None:
    schema = json.loads(policy_schema_text())
    assert set(schema["properties"]) == set(PolicyFile.model_fields)
    assert "required" not in schema


def test_a_schema_is_one_text_for_ever() -> None:
    assert config_schema_text() == config_schema_text()
    assert config_schema_text().endswith("}\n")
