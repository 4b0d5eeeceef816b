"""The files of this repository, as the tests of its shape see them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.real.components import require

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"agent_sync": ROOT / "agent_sync", "agent_sync_oci": ROOT / "oci" / "agent_sync_oci"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of a package: its dotted name, its path, its syntax tree."""

    name: str
    path: Path
    syntax: ast.Module

    @property
    def room(self) -> str:
        """The second part of the name, such as `adapters`; empty for the package itself."""
        return self.name.split(".")[1] if "." in self.name else ""

    @property
    def is_a_program(self) -> bool:
        """Whether an adapter starts it as a process of its own: that has an environment and an exit code."""
        return self.room == "adapters" and 'if __name__ == "__main__":' in self.path.read_text(encoding="utf-8")

    def imports(self) -> Iterator[str]:
        """The dotted name of every module it imports, wherever in the file."""
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module


@cache
def modules() -> tuple[Module, ...]:
    """Every module of both packages, in path order."""
    return tuple(
        _module(package, directory, path)
        for package, directory in PACKAGES.items()
        for path in sorted(directory.rglob("*.py"))
    )


@cache
def files() -> tuple[str, ...]:
    """Every file that is or is about to be in the repository, relative to its root, in order."""
    require("git")
    words = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    return tuple(sorted(name for name in set(listed.decode().split("\0")) - {""} if (ROOT / name).is_file()))


def _module(package: str, directory: Path, path: Path) -> Module:
    parts = path.relative_to(directory).with_suffix("").parts
    words = parts[:-1] if parts[-1] == "__init__" else parts
    return Module(".".join((package, *words)), path, ast.parse(path.read_text(encoding="utf-8")))
