"""docs/reference/library.md against the code: each command and each method is there, with its options and result."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

import agent_sync
from agent_sync import Cache, Project, World, open_cache, open_project
from agent_sync import operations
from agent_sync.events import AuditEvent, Event
from agent_sync.store import audit
from tests.docs.commands import commands
from tests.docs.pages import blocks, codes, inline_code, rows, section

PAGE = "docs/reference/library.md"
_TABLE = rows(section(PAGE, "Commands and methods"))
_OWNERS: dict[str, type] = {"project": Project, "cache": Cache}
_VERBS = [f"agent_sync.operations.{module.name}" for module in pkgutil.iter_modules(operations.__path__)]


def _calls() -> Iterator[ast.Call]:
    """Every `project.verb(...)` and `cache.verb(...)` in the page's prose, taken apart."""
    for code in inline_code(PAGE):
        if code.startswith(("project.", "cache.")) and code.endswith(")"):
            call = ast.parse(code, mode="eval").body
            assert isinstance(call, ast.Call)
            yield call


def _method(call: ast.Call) -> tuple[str, str]:
    assert isinstance(call.func, ast.Attribute)
    assert isinstance(call.func.value, ast.Name)
    return call.func.value.id, call.func.attr


def _public(owner: type) -> set[str]:
    kept = {field.name for field in fields(owner)} if is_dataclass(owner) else set()
    return {name for name in vars(owner) if not name.startswith("_") and name not in kept}


@pytest.mark.parametrize("name", _OWNERS)
def test_every_public_member_is_on_the_page(name: str) -> None:
    shown = {verb for owner, verb in map(_method, _calls()) if owner == name}
    shown |= {code.partition(".")[2] for code in inline_code(PAGE) if code.startswith(f"{name}.") and "(" not in code}
    assert shown == _public(_OWNERS[name])


@pytest.mark.parametrize("call", list(_calls()), ids=ast.unparse)
def test_a_call_has_the_options_and_defaults_of_the_method(call: ast.Call) -> None:
    owner, verb = _method(call)
    parameters = dict(inspect.signature(getattr(_OWNERS[owner], verb)).parameters)
    parameters.pop("self")
    shown = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    shown |= {argument.id: inspect.Parameter.empty for argument in call.args if isinstance(argument, ast.Name)}
    assert shown == {name: parameter.default for name, parameter in parameters.items()}


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    rowed = [tuple(word for word in codes(row[0])[0].split()[1:] if word.islower()) for row in _TABLE]
    assert sorted(rowed) == sorted(commands())


@pytest.mark.parametrize("row", _TABLE, ids=[row[0] for row in _TABLE])
def test_a_row_pairs_a_command_with_its_method_and_tells_all_fields_of_the_result(row: tuple[str, ...]) -> None:
    command, method, result = row
    owner, verb = _method(typing.cast("ast.Call", ast.parse(codes(method)[0], mode="eval").body))
    words = [word for word in command.strip("`").split()[2 if owner == "cache" else 1 :] if word.islower()]
    assert sorted(verb.split("_")) == sorted(words)
    name, *told = codes(result)
    kind = _result_of(_OWNERS.get(owner), verb)
    assert kind.__name__ == name
    properties = [key for key, value in vars(kind).items() if isinstance(value, property)]
    declared = [field.name for field in fields(kind)] if is_dataclass(kind) else [*kind._fields]
    assert told == [*declared, *properties]


def _result_of(owner: type | None, verb: str) -> type[typing.Any]:
    """The class that the method returns, or returns a tuple of; without an owner, that a function of ours returns."""
    function = getattr(owner or agent_sync, verb)
    module = importlib.import_module("agent_sync.adapters.key_files" if owner is None else owner.__module__)
    homes = [*map(importlib.import_module, _VERBS)] if owner is Project else [module, audit]
    text = inspect.signature(function).return_annotation
    name = str(text).removeprefix("tuple[").removesuffix(", ...]")
    found = next(vars(home)[name] for home in homes if name in vars(home))
    assert isinstance(found, type)
    return found


def test_the_functions_that_open_have_the_parameters_shown() -> None:
    [block] = [block for block in blocks(PAGE) if block.language == "python"]
    shown = {ast.unparse(call.func): [each.arg for each in call.keywords] for call in _top_calls(block.text)}
    for function in (open_project, open_cache):
        assert shown[function.__name__] == list(inspect.signature(function).parameters)


def _top_calls(text: str) -> Iterator[ast.Call]:
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield statement.value


def test_every_event_is_told_with_its_fields() -> None:
    shown = {codes(row[0])[0]: codes(row[1]) for row in rows(section(PAGE, "Events"))}
    assert shown == {kind.__name__: [field.name for field in fields(kind)] for kind in typing.get_args(Event)}


def test_every_audit_event_is_told_with_its_fields() -> None:
    shown = {codes(row[0])[0]: codes(row[1]) for row in rows(section(PAGE, "Audit records"))}
    assert shown == {kind.__name__: [field.name for field in fields(kind)] for kind in typing.get_args(AuditEvent)}


def test_the_world_is_told_field_by_field() -> None:
    shown = [codes(row[0])[0] for row in rows(section(PAGE, "The world and its ports"))]
    assert shown == [field.name for field in fields(World)]


def test_every_public_name_is_mentioned() -> None:
    text = "\n".join([*(block.text for block in blocks(PAGE)), *inline_code(PAGE)])
    unmentioned = [name for name in agent_sync.__all__ if name not in text and name not in ("__version__", "Cache")]
    assert unmentioned == []
