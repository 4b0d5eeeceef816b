"""The JSON Schemas of the configuration and of the machine's policy, generated from the models, for editors."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agent_sync.config.model import ConfigFile, PolicyFile


def config_schema_text() -> str:
    """Return the content of `schemas/agent-sync.schema.json`."""
    return _text(ConfigFile, title="agent-sync.yaml")


def policy_schema_text() -> str:
    """Return the content of `schemas/policy.schema.json`."""
    return _text(PolicyFile, title="agent-sync policy.yaml")


class _Schema(GenerateJsonSchema):
    """A key without a value is as good as none, so `null` is not spelt out at every optional key."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002  # as the base class has it
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Require `type` in a file; it has a default for whoever makes a model in code."""
        made = super().model_schema(schema)
        if "const" in made.get("properties", {}).get("type", {}):
            made["properties"]["type"].pop("default", None)
            made["required"] = ["type", *made["required"]]
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        default = made.get("default")
        if not isinstance(default, bool | int | str) or default not in made.get("enum", [default]):
            made.pop("default", None)
        return made


def _text(model: type[BaseModel], *, title: str) -> str:
    schema: dict[str, Any] = {
        "$schema": GenerateJsonSchema.schema_dialect,
        **model.model_json_schema(schema_generator=_Schema),
        "title": title,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
