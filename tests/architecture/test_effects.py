"""Only ports touch the world: which rooms may use what of the standard library (architecture §1.5, style: Effects)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.tree import Module, modules

_EDGES = {"__main__", "cli", "wiring"}

# What reaches out of the program, or brings in something that differs from run to run, and the rooms where it may.
_ROOMS = {
    "getpass": {"cli"},
    "http": {"adapters"},
    "locale": set[str](),
    "marshal": set[str](),
    "pickle": set[str](),
    "random": set[str](),
    "secrets": {"adapters"},
    "shelve": set[str](),
    "socket": {"adapters", "http"},
    "ssl": {"http"},
    "subprocess": {"adapters", "registry"},
    "tempfile": {"adapters"},
    "time": {"__main__", "adapters", "cli", "http", "registry"},
    "urllib.request": {"adapters"},
    "uuid": {"adapters"},
}


def test_the_world_is_touched_only_where_it_may_be() -> None:
    found = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in sorted({part for name in module.imports() for part in (name, name.split(".")[0])} & _ROOMS.keys())
        if module.room not in _ROOMS[name]
    ]
    assert found == []


def test_only_the_edges_read_the_environment() -> None:
    forbidden = {"os.environ", "os.environb", "os.getenv"}
    found = [
        f"{module.name}:{node.lineno} reads {ast.unparse(node)}"
        for module in _below_the_edges()
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in forbidden
    ]
    assert found == []


def test_only_the_edges_exit_or_ask() -> None:
    forbidden = {"exit", "input", "print", "sys.exit"}
    found = [
        f"{module.name}:{node.lineno} calls {ast.unparse(node.func)}"
        for module in _below_the_edges()
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden
    ]
    assert found == []


_CATCH_ALLS = {"agent_sync.apply.apply", "agent_sync.cli.run"}
"""A change that is rolled back and raised again; and the last resort of the command line, exit code 70."""


def test_an_error_is_caught_by_its_name() -> None:
    """What must be released if handing it on fails is pushed onto a `contextlib.ExitStack`; `pop_all` takes it off."""
    found = [
        module.name
        for module in modules()
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    ]
    assert sorted(found) == sorted(_CATCH_ALLS)


def _below_the_edges() -> Iterator[Module]:
    return (module for module in modules() if module.room not in _EDGES and not module.is_a_program)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {""}
    return bool(caught & {"", "BaseException", "Exception"})
