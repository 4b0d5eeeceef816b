"""The first line of every error and warning stands alone: `{subject}: {check}` begins with a noun, never with "it"."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.architecture.tree import Module, modules
from tests.builders.headlines import begins_with_a_pronoun

_PARTS = {"subject", "check", "message"}


def test_no_headline_begins_with_a_pronoun() -> None:
    """Wherever a subject, a check or a message is written down: as an argument, or in a variable of that name."""
    positions = _positions()
    found = [
        f"{module.name}:{text.lineno}: {beginning}"
        for module in modules()
        for node in ast.walk(module.syntax)
        for text in _texts(node, positions)
        for beginning in _beginnings(text)
        if begins_with_a_pronoun(beginning)
    ]
    assert found == []


def test_the_search_sees_arguments_positions_and_variables() -> None:
    program = "E(check='it is')\nproblem(1, f'there {x}')\ncheck = 'a' if x else 'they are'\nE(remedy='it')"
    positions = {"problem": {1}}
    nodes = [node for node in ast.walk(ast.parse(program)) for text in _texts(node, positions) for node in [text]]
    found = [beginning for node in nodes for beginning in _beginnings(node) if begins_with_a_pronoun(beginning)]
    assert sorted(found) == ["it is", "there ", "they are"]


def test_every_rule_has_a_name_of_its_own() -> None:
    """Errors by the class that says `rule = ...`, warnings by the first argument of `Warned`."""
    errors = Counter(rule for module in modules() for rule in _rules_of_errors(module))
    assert {"usage", "untrusted", "network"} <= errors.keys()
    assert [rule for rule, count in errors.items() if count > 1] == []
    warnings = {rule for module in modules() for rule in _rules_of_warnings(module)}
    assert {"unknown-key", "stale"} <= warnings
    assert sorted(errors.keys() & warnings) == []


def _positions() -> dict[str, set[int]]:
    """The positions of these parameters by the name of the function or class that takes them."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for module in modules():
        for node in ast.walk(module.syntax):
            for position, parameter in enumerate(_parameters(node)):
                if parameter in _PARTS and isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found[node.name].add(position)
    return found


def _parameters(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        return names[1:] if names[:1] in (["self"], ["cls"]) else names
    if isinstance(node, ast.ClassDef):  # a dataclass takes its fields in order
        fields = (each.target for each in node.body if isinstance(each, ast.AnnAssign))
        return [each.id for each in fields if isinstance(each, ast.Name)]
    return []


def _texts(node: ast.AST, positions: dict[str, set[int]]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from (each.value for each in node.keywords if each.arg in _PARTS)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from (node.args[each] for each in positions.get(name, ()) if each < len(node.args))
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for each, value in zip(names, values, strict=False):
                if isinstance(each, ast.Name) and each.id in _PARTS:
                    yield value


def _beginnings(text: ast.expr) -> Iterator[str]:
    """What the text may begin with, as far as it is written down there."""
    match text:
        case ast.Constant(value=str(value)):
            yield value
        case ast.JoinedStr(values=[ast.Constant(value=str(value)), *_]):
            yield value
        case ast.JoinedStr(values=[ast.FormattedValue(value=value), *_]):
            yield from _beginnings(value)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_beginnings(body), *_beginnings(orelse))
        case ast.BoolOp(values=values):
            yield from (each for value in values for each in _beginnings(value))
        case ast.BinOp(left=left, op=ast.Add()):
            yield from _beginnings(left)
        case _:
            pass


def _rules_of_errors(module: Module) -> Iterator[str]:
    for node in ast.walk(module.syntax):
        if not isinstance(node, ast.ClassDef):
            continue
        for each in node.body:
            match each:
                case ast.Assign(targets=[ast.Name(id="rule")], value=ast.Constant(value=str(rule))):
                    yield rule
                case _:
                    pass


def _rules_of_warnings(module: Module) -> Iterator[str]:
    for node in ast.walk(module.syntax):
        match node:
            case ast.Call(func=ast.Name(id="Warned"), args=[ast.Constant(value=str(rule)), *_]):
                yield rule
            case _:
                pass
