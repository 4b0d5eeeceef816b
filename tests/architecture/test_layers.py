"""Who may import whom: import-linter's contracts hold, and no library comes in by another way than its door."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.tree import PACKAGES, ROOT, modules

_CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_CONTRACTS = _CONFIGURATION["tool"]["importlinter"]["contracts"]
_BEHIND_DOORS = {
    library
    for contract in _CONTRACTS
    if contract["name"].startswith("door:")
    for library in contract["forbidden_modules"]
}
_NEVER_LOADED = {"_typeshed"}  # exists for type checkers alone


def test_every_contract_holds() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contracts: {len(_CONTRACTS)} kept, 0 broken." in result.stdout


def test_a_library_that_is_imported_has_a_door() -> None:
    """A new library needs a contract whose name begins with `door:`."""
    known = sys.stdlib_module_names | PACKAGES.keys() | _NEVER_LOADED | _BEHIND_DOORS
    found = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in module.imports()
        if name.split(".")[0] not in known
    ]
    assert found == []


def test_every_directory_with_modules_is_a_package() -> None:
    """Without an `__init__.py` the import linter would not see what is inside."""
    directories = {module.path.parent for module in modules()}
    assert {module.name.split(".")[0] for module in modules()} == PACKAGES.keys()
    assert [directory for directory in sorted(directories) if not (directory / "__init__.py").is_file()] == []
