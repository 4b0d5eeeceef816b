"""What a file may be called, how long it may be, and what it must not give away."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from tests.architecture.tree import ROOT, files, modules

_MOST_LINES = 400
_SAY_NOTHING = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}

# What architecture §2 puts at the top; a further one needs a decision record.
_TOP = {
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "agent_sync", "docs",
    "flake.lock", "flake.nix", "nix", "oci", "pyproject.toml", "schemas", "tests",
}  # fmt: skip

_PYTHON = [name for name in files() if name.endswith(".py")]


def test_a_file_is_not_too_long_to_be_one_idea() -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in _PYTHON}
    assert {name: length for name, length in lengths.items() if length > _MOST_LINES} == {}


def test_a_name_says_what_is_inside() -> None:
    words = {
        name: {part.removeprefix("test_") for part in PurePosixPath(name).with_suffix("").parts} for name in _PYTHON
    }
    assert [name for name, parts in words.items() if parts & _SAY_NOTHING] == []


def test_every_module_says_what_it_is() -> None:
    assert [module.name for module in modules() if not ast.get_docstring(module.syntax)] == []


def test_nothing_else_lies_at_the_top() -> None:
    assert {PurePosixPath(name).parts[0] for name in files() if not name.startswith(".")} <= _TOP


def test_no_file_names_the_machine_it_was_written_on() -> None:
    here = str(ROOT).encode()
    assert [name for name in files() if here in (ROOT / name).read_bytes()] == []


def test_set_up_names_no_host() -> None:
    """Where packages come from is the choice of whoever installs, not of this repository."""
    set_up = [name for name in files() if name.startswith(".ci/") or name in ("Makefile", "pyproject.toml")]
    assert set_up
    address = re.compile(rb"://|--(extra-)?index-url|--find-links|--trusted-host")
    allowed = re.compile(rb"--no-emit-[a-z-]+")
    assert [name for name in set_up if address.search(allowed.sub(b"", (ROOT / name).read_bytes()))] == []


def test_no_test_patches_what_it_tests() -> None:
    tests = {
        name: ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in _PYTHON if name.startswith("tests/")
    }
    assert tests
    assert [name for name, syntax in tests.items() if _patches(syntax)] == []


def _patches(syntax: ast.Module) -> bool:
    arguments = {node.arg for node in ast.walk(syntax) if isinstance(node, ast.arg)}
    imported = {node.module for node in ast.walk(syntax) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(syntax) if isinstance(node, ast.Import) for alias in node.names}
    return bool({"monkeypatch", "mocker"} & arguments or {"unittest.mock", "mock"} & imported)
