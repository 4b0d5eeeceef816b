"""docs/glossary.md has every term once, and every public class in one row; no row names what is not in the program."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator

import agent_sync
from tests.architecture.tree import modules
from tests.docs.pages import codes, rows, text_of

PAGE = "docs/glossary.md"


def the_rows() -> list[tuple[str, ...]]:
    return [row for row in rows(text_of(PAGE)) if len(row) == 3 and row[0] not in ("term", "---")]


def named() -> list[str]:
    return [name for row in the_rows() for name in codes(row[2])]


def public_classes() -> set[str]:
    """Every class that a package offers, every event, and every result of a verb; errors have their own page."""
    return {
        name
        for module in pkgutil.walk_packages(agent_sync.__path__, "agent_sync.")
        if not module.name.endswith("__main__")
        for name in _offered(module.name)
    } | set(_offered("agent_sync"))


def _offered(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    for each, value in vars(module).items():
        if not inspect.isclass(value) or issubclass(value, Exception):
            continue
        is_own = value.__module__ == name
        is_offered = each in getattr(module, "__all__", ())
        is_result = is_own and name.startswith("agent_sync.operations.") and each.endswith("Result")
        is_event = is_own and name == "agent_sync.events"
        if value.__module__.startswith("agent_sync") and (is_offered or is_result or is_event):
            yield each


def test_every_term_is_there_once() -> None:
    terms = [row[0] for row in the_rows()]
    assert [term for term, count in Counter(terms).items() if count > 1] == []


def test_every_public_class_is_in_one_row() -> None:
    counts = Counter(named())
    assert sorted(public_classes() - counts.keys()) == []
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_name_is_defined_in_the_program() -> None:
    defined = {node.name for module in modules() for node in ast.walk(module.syntax) if isinstance(node, ast.ClassDef)}
    aliases = {
        target.id
        for module in modules()
        for node in module.syntax.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert sorted(set(named()) - defined - aliases) == []


def test_every_term_has_a_meaning() -> None:
    assert [row[0] for row in the_rows() if not row[1]] == []
