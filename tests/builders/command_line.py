"""A project on the disk and the real program to run in it: `a_machine(tmp_path).run("sync")`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from agent_sync.documents import read_document
from agent_sync.errors import LockInvalid
from tests.builders.headlines import assert_headlines
from tests.builders.result_documents import validated

Snapshot = Mapping[str, tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything, wherever it went."""
        return self.out + self.err


@dataclass(frozen=True)
class CommandMachine:
    """A machine with one project; `variables` are added to the environment of every command; `module` is what runs."""

    project: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    module: str = "agent_sync"

    def run(
        self,
        *words: str,
        where: Path | None = None,
        expect: int | None = 0,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """The program with these words, run in the project. `expect` is the exit code that it must have (None: any)."""
        ended = subprocess.run(
            [sys.executable, "-m", self.module, *words],
            cwd=where or self.project,
            env={**os.environ, "HOME": str(self.home), **self.variables, **(environment or {})},
            input=stdin.encode(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        ran = Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
        assert ran.code != 70, ran.err  # a fault of ours is never what a test expects
        assert_headlines(ran.err)
        if "--json" in words and ran.out.startswith("{"):
            validated(ran.out)
        assert expect is None or ran.code == expect, f"exit code {ran.code} instead of {expect}\n{ran.said}"
        return ran

    def lock_and_sync(self) -> None:
        """What the configuration declares is locked and written."""
        self.run("update", "--yes")
        self.run("sync")

    def put(self, path: str, content: str | bytes, *, executable: bool = False) -> Path:
        """A file of the project; text is dedented."""
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(dedent(content).encode() if isinstance(content, str) else content)
        place.chmod(0o755 if executable else 0o644)
        return place

    def configure(self, text: str) -> None:
        """The project's configuration."""
        self.put("agent-sync.yaml", text)

    def read(self, path: str) -> str:
        return (self.project / path).read_text()

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.project / path)

    @property
    def lock_bytes(self) -> bytes:
        return (self.project / "agent-sync.lock").read_bytes()

    @property
    def lock(self) -> dict[str, Any]:
        """The lock as plain data."""
        return read_document(self.lock_bytes, file="agent-sync.lock", error=LockInvalid, max_bytes=1 << 28).data

    def locked(self, name: str) -> dict[str, Any]:
        """One source's entry in the lock."""
        found: list[dict[str, Any]] = [source for source in self.lock["sources"] if source["name"] == name]
        assert len(found) == 1, found
        return found[0]

    def tree(self) -> Snapshot:
        """Everything in the project but our own state directory."""
        return {path: each for path, each in snapshot(self.project).items() if not path.startswith(".agent-sync")}

    def outputs(self) -> dict[str, str]:
        """Every file in a dot directory that is not ours, with its text."""
        return {
            path: content.decode()
            for path, (kind, content) in self.tree().items()
            if path.startswith(".") and kind != "directory"
        }

    def another(self, name: str) -> CommandMachine:
        """A second machine that has cloned what is committed: no outputs, no state, no store."""
        parent = self.project.parent / name
        other = CommandMachine(parent / "project", parent / "home", self.variables, self.module)
        other.home.mkdir(parents=True)
        for path, (kind, content) in self.tree().items():
            if kind != "directory" and not path.startswith("."):
                other.put(path, content, executable=kind == "program")
        return other


def a_machine(directory: Path, files: Mapping[str, str | bytes] | None = None) -> CommandMachine:
    """A machine whose project has these files, below `directory`."""
    machine = CommandMachine(directory / "project", directory / "home")
    machine.project.mkdir()
    machine.home.mkdir()
    for path, content in (files or {}).items():
        machine.put(path, content)
    return machine


LOCAL = """\
version: 1
sources:
  - name: rules
    type: local
    path: ./rules/
targets:
  - source: rules
    tools: [cursor]
"""


def a_local_machine(directory: Path, config: str = "", **rules: str) -> CommandMachine:
    """One local source `rules` for cursor; `config` is added to its configuration, `a_md="text"` is `rules/a.md`."""
    files = {f"rules/{name.replace('_', '.')}": text for name, text in (rules or {"a_md": "a\n"}).items()}
    return a_machine(directory, {"agent-sync.yaml": LOCAL + dedent(config), **files})


def snapshot(directory: Path) -> dict[str, tuple[str, bytes]]:
    """Every path below `directory` with its kind and bytes; links are themselves."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(directory.rglob("*")):
        name, mode = str(path.relative_to(directory)), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = ("link", os.readlink(path).encode())
        elif stat.S_ISDIR(mode):
            found[name] = ("directory", b"")
        elif stat.S_ISREG(mode):
            found[name] = ("program" if mode & 0o100 else "file", path.read_bytes())
        else:
            found[name] = ("other", b"")
    return found
