"""Make the errors of a configuration, each with file, line and column; pydantic's among them, in our words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agent_sync.config.model import (
    SOURCE_MODELS,
    BundleConfig,
    CustomTransform,
    IdentitySigner,
    KeySigner,
    LimitsConfig,
    Override,
    Revoked,
    SecurityConfig,
    Target,
    TemplateTransform,
    ToolDefinition,
    TrustConfig,
    TrustRule,
)
from agent_sync.errors import AgentSyncError, ConfigInvalid, UnsafePath
from agent_sync.sources.fields import InvalidValue
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.documents import Document


# -- errors with a place -----------------------------------------------------------------------------------------------

Path = tuple[str | int, ...]
"""The way to a value from the top of a file: keys of mappings and 0-based positions in lists."""

_LISTED_PLACES = 5


def config_error(
    document: Document,
    path: Path,
    *,
    check: str,
    remedy: str | None,
    error: type[AgentSyncError] = ConfigInvalid,
    key: bool = False,
) -> AgentSyncError:
    """Return the error for the value at `path`, or for its key; a missing value is located at what should hold it."""
    return error(
        subject=f"{document.file}, {format_path(path)}" if path else document.file,
        check=check,
        remedy=remedy,
        place=document.place(path, key=key),
    )


def raise_first(problems: Iterable[AgentSyncError]) -> NoReturn:
    """Raise the first of the problems, by file and line, naming the others. At least one is given."""
    first, *others = sorted(problems, key=_position)
    raise first.restated(check=f"{first.check} ({_count_others(others)})") if others else first


def format_path(path: Path) -> str:
    """Return the path as people write it: `sources[2].checksum`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else quoted(part)
            text += f".{name}" if text else name
    return text


def _position(error: AgentSyncError) -> tuple[str, int, int]:
    place = error.place
    return ("", 0, 0) if place is None else (place.file, place.line, place.column)


def _count_others(others: Sequence[AgentSyncError]) -> str:
    spots = [f"{each.place.file}:{each.place.line}" for each in others if each.place is not None]
    listed = ", ".join(dict.fromkeys(spots[:_LISTED_PLACES])) + (", ..." if len(spots) > _LISTED_PLACES else "")
    return f"and {len(others)} more problem{'s' if len(others) > 1 else ''}: {listed}"


# -- pydantic's errors in our words ------------------------------------------------------------------------------------

_BY_KEY: Mapping[str, type[BaseModel]] = {
    "limits": LimitsConfig,
    "security": SecurityConfig,
    "trust": TrustConfig,
    "bundle": BundleConfig,
    "rules": TrustRule,
    "revoked": Revoked,
    "tool_definitions": ToolDefinition,
    "targets": Target,
    "overrides": Override,
}
_BY_TAG: Mapping[str, type[BaseModel]] = {
    **SOURCE_MODELS,
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


def validation_errors(error: ValidationError, document: Document, root: type[BaseModel]) -> Iterator[AgentSyncError]:
    """Yield one error for each invalid part of the document, which was read as a `root`."""
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and details["input"]:
            continue  # not empty: what is in there is wrong, and has an error of its own
        path, field = _locate(details["loc"], root)
        if details["type"] == "union_tag_invalid":
            path = (*path, details["ctx"]["discriminator"].strip("'"))
        check, remedy = _describe(details, path, field)
        invalid = details.get("ctx", {}).get("error")
        kind = UnsafePath if isinstance(invalid, InvalidValue) and invalid.is_unsafe else ConfigInvalid
        yield config_error(document, path, check=check, remedy=remedy, error=kind)


def _locate(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[Path, FieldInfo | None]:
    """Return the path of the value and what is known of its key, without pydantic's names for the models that
    it tried.
    """
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


def _describe(details: ErrorDetails, path: Path, field: FieldInfo | None) -> tuple[str, str | None]:
    """Return the check that failed and the remedy."""
    key, value, context = _key(path), details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            return f"`{key}` is missing", _suggest(key, value) or _suggest_adding(key, field)
        case "union_tag_not_found":
            return _missing_tag(path)
        case "union_tag_invalid":
            return _unknown_choice(str(context["tag"]), _choices(context["expected_tags"]))
        case "literal_error":
            return _unknown_choice(value, _choices(context["expected"]))
        case "too_short":
            return "must not be empty", _suggest_adding(key, field)
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {quoted(str(value))}", None
        case wanted if wanted in _WANTED:
            return f"{_WANTED[wanted]}, not {_describe_value(value)}", _suggest_value(wanted, key, value, field)
        case "value_error" if isinstance(invalid := context["error"], InvalidValue):
            return invalid.check, invalid.remedy
        case _:
            return details["msg"], None


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _suggest(key: str, given: object) -> str | None:
    """Return the advice to rename a key that looks like the one that is missing."""
    from agent_sync_oci.text import closest

    near = closest(key, given) if isinstance(given, Mapping) else None
    return None if near is None else f"did you mean `{key}` where it says `{near}`?"


def _suggest_adding(key: str, field: FieldInfo | None) -> str | None:
    if field is None:
        return None
    example = f", for example: {key}: {_format_example(field.examples[0])}" if field.examples else ""
    meaning = (field.description or "").rstrip(".")
    return f"add `{key}:` ({meaning[:1].lower()}{meaning[1:]}){example}"


def _suggest_value(wanted: str, key: str, value: Any, field: FieldInfo | None) -> str | None:  # noqa: ANN401
    if wanted == "string_type" and isinstance(value, bool | int | float):
        return f'put it in quotes: {key}: "{str(value).lower()}"' if key else "put it in quotes"
    if wanted == "tuple_type" and isinstance(value, str):
        return f"write: {key}: [{value}]" if re.fullmatch(r"[\w./-]+", value) else "put a dash before it"
    if field is not None and field.examples:
        return f"for example: {key}: {_format_example(field.examples[0])}"
    return {"tuple_type": "write each entry on a line of its own, after a dash"}.get(wanted)


def _missing_tag(path: Path) -> tuple[str, str]:
    if "signers" in path:
        return "names neither an identity nor a key", "give `identity:` and `issuer:`, or `key:`"
    if path[:1] == ("transforms",):
        return "`type` is missing", "add `type: template` or `type: custom`"
    *others, last = (f"`type: {name}`" for name in SOURCE_MODELS)
    return "`type` is missing", f"add {', '.join(others)} or {last}"


def _unknown_choice(value: Any, known: tuple[str, ...]) -> tuple[str, str | None]:  # noqa: ANN401
    from agent_sync_oci.text import closest

    near = closest(value, known) if isinstance(value, str) else None
    names = [f"`{each}`" for each in known]
    listed = " or ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])}, or {names[-1]}"
    given = quoted(value) if isinstance(value, str) else _describe_value(value)
    return f"must be {listed}, not {given}", None if near is None else f"did you mean `{near}`?"


def _choices(expected: object) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", str(expected)))


def _describe_value(value: Any) -> str:  # noqa: ANN401
    match value:
        case None:
            return "empty"
        case bool():
            return f"{str(value).lower()}, which YAML takes for a boolean"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {quoted(value)}"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def _format_example(example: Any) -> str:  # noqa: ANN401
    return example if isinstance(example, str) else json.dumps(example).replace('"', "")
