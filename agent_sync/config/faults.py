"""What pydantic found wrong with a file -> our own errors, in our own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agent_sync.config.fields import UNSAFE
from agent_sync.config.model import (
    CustomTransform,
    GitSource,
    LocalSource,
    OciSource,
    Override,
    Target,
    TemplateTransform,
    ToolDefinition,
    UrlSource,
)
from agent_sync.config.problems import Path, problem
from agent_sync.config.security import (
    Bundle,
    IdentitySigner,
    KeySigner,
    LimitSettings,
    Revoked,
    Security,
    Trust,
    TrustRule,
)
from agent_sync.errors import AgentSyncError, ConfigInvalid, UnsafePath
from agent_sync.escaping import shown

if TYPE_CHECKING:
    from agent_sync.documents import Document

_BY_KEY: Mapping[str, type[BaseModel]] = {
    "limits": LimitSettings,
    "security": Security,
    "trust": Trust,
    "bundle": Bundle,
    "rules": TrustRule,
    "revoked": Revoked,
    "tool_definitions": ToolDefinition,
    "targets": Target,
    "overrides": Override,
}
_BY_TAG: Mapping[str, type[BaseModel]] = {
    "git": GitSource,
    "url": UrlSource,
    "local": LocalSource,
    "oci": OciSource,
    "template": TemplateTransform,
    "custom": CustomTransform,
    "an identity": IdentitySigner,
    "a key": KeySigner,
}
_WANTED = {
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
}


def faults_in(error: ValidationError, document: Document, root: type[BaseModel]) -> Iterator[AgentSyncError]:
    """One error for each thing that is wrong with the document, which was read as a `root`."""
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and details["input"]:
            continue  # not empty: what is in there is wrong, and has an error of its own
        path, field = _located(details["loc"], root)
        check, remedy = _words(details, path, field)
        kind = UnsafePath if details["type"] == UNSAFE else ConfigInvalid
        yield problem(document, path, check=check, remedy=remedy, error=kind)


def _located(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[Path, FieldInfo | None]:
    """The way to the value and what is known of its key; pydantic's words for the model that it tried are left out."""
    path: list[str | int] = []
    field: FieldInfo | None = None
    model: type[BaseModel] | None = root
    for part in loc:
        if isinstance(part, str) and model is None and part in _BY_TAG:
            model = _BY_TAG[part]
            continue
        if isinstance(part, str) and part != "[key]":
            field = None if model is None else model.model_fields.get(part)
            model = _BY_KEY.get(part)
        if part != "[key]":
            path.append(part)
    return tuple(path), field


def _words(details: ErrorDetails, path: Path, field: FieldInfo | None) -> tuple[str, str | None]:
    """The check that failed and what to do about it."""
    key, value, context = _key(path), details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            return f"`{key}` is missing", _meant(key, value) or _add(key, field)
        case "union_tag_not_found":
            return _untyped(path)
        case "union_tag_invalid":
            return _other_type(str(context["tag"]), _quoted(context["expected_tags"]))
        case "literal_error":
            return _none_of(value, _quoted(context["expected"]))
        case "too_short":
            return "must not be empty", _add(key, field)
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {shown(str(value))}", None
        case wanted if wanted in _WANTED:
            return f"{_WANTED[wanted]}, not {_kind(value)}", _instead(wanted, key, value, field)
        case _:
            return str(context.get("check", details["msg"])), context.get("remedy")


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _meant(key: str, given: object) -> str | None:
    """Another key that stands there, if it looks like the one that is missing."""
    from agent_sync.documents import closest

    near = closest(key, given) if isinstance(given, Mapping) else None
    return None if near is None else f"did you mean `{key}` where it says `{near}`?"


def _add(key: str, field: FieldInfo | None) -> str | None:
    if field is None:
        return None
    example = f", for example: {key}: {_yaml(field.examples[0])}" if field.examples else ""
    return f"add `{key}:` ({(field.description or '').rstrip('.').lower()}){example}"


def _instead(wanted: str, key: str, value: Any, field: FieldInfo | None) -> str | None:  # noqa: ANN401
    if wanted == "string_type" and isinstance(value, bool | int | float):
        return f'put it in quotes: {key}: "{str(value).lower()}"' if key else "put it in quotes"
    if wanted == "tuple_type" and isinstance(value, str):
        return f"write: {key}: [{value}]" if re.fullmatch(r"[\w./-]+", value) else "put a dash before it"
    if field is not None and field.examples:
        return f"for example: {key}: {_yaml(field.examples[0])}"
    return {"tuple_type": "write each entry on a line of its own, after a dash"}.get(wanted)


def _untyped(path: Path) -> tuple[str, str]:
    if "signers" in path:
        return "names neither an identity nor a key", "give `identity:` and `issuer:`, or `key:`"
    if path[:1] == ("transforms",):
        return "`type` is missing", "add `type: template` or `type: custom`"
    return "`type` is missing", "add `type: git`, `type: url`, `type: local` or `type: oci`"


def _other_type(tag: str, known: tuple[str, ...]) -> tuple[str, str | None]:
    return _none_of(tag, known)


def _none_of(value: Any, known: tuple[str, ...]) -> tuple[str, str | None]:  # noqa: ANN401
    from agent_sync.documents import closest

    near = closest(value, known) if isinstance(value, str) else None
    listed = " or ".join(f"`{each}`" for each in known)
    given = shown(value) if isinstance(value, str) else _kind(value)
    return f"must be {listed}, not {given}", None if near is None else f"did you mean `{near}`?"


def _quoted(expected: object) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", str(expected)))


def _kind(value: Any) -> str:  # noqa: ANN401
    match value:
        case None:
            return "empty"
        case bool():
            return f"{str(value).lower()}, which YAML takes for a boolean"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {shown(value)}"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def _yaml(example: Any) -> str:  # noqa: ANN401
    return example if isinstance(example, str) else json.dumps(example).replace('"', "")
