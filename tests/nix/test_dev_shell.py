"""The hook of `lib.mkShell`: it writes the locked files of the project that it was made for, or says why not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.builders.nix_projects import SYSTEM, WRITTEN, NixProject, a_stub_of_nixpkgs, files_below
from tests.real.nix import Nix


@dataclass(frozen=True)
class Shell:
    """A shell that was made for a project; entering it runs its hook and then says `ready`."""

    hook: str
    environment: Mapping[str, str]

    def enter(self, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"{self.hook}\necho ready"],
            cwd=directory,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def project(locked: NixProject, tmp_path: Path) -> NixProject:
    """What is committed: the lock and the project's own files, nothing that was written."""
    return locked.copied(tmp_path)


def a_shell(nix: Nix, project: NixProject, arguments: str = "") -> Shell:
    """The trees come from the project's store; the program is this one, and has an empty store."""
    stub = a_stub_of_nixpkgs(nix.directory / "stub")
    asked = f'lockFile = {project.lock}; cache = "file://{project.store}"; agent-sync = null; {arguments}'
    expression = f"""
      (import {ROOT}/nix/lib.nix).mkShell {{
        pkgs = (import {stub}/packages.nix "{SYSTEM}") // {{ mkShell = arguments: arguments; }};
        {asked}
      }}
    """
    made = nix.value(expression)
    program = nix.directory / "bin" / "agent-sync"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m agent_sync "$@"\n')
    program.chmod(0o755)
    cache = {"AGENT_SYNC_CACHE": str(nix.directory / "cache")}
    path = f"{program.parent}:{nix.environment['PATH']}"
    return Shell(made["shellHook"], {**nix.environment, **cache, "PATH": path})


def test_it_writes_the_locked_files_from_what_nix_has(nix: Nix, project: NixProject, locked: NixProject) -> None:
    ended = a_shell(nix, project).enter(project.directory)
    assert (ended.returncode, ended.stdout) == (0, "ready\n")
    assert files_below(project.directory, *WRITTEN) == locked.outputs()
    assert "wrote 11 files" in ended.stderr


def test_it_finds_the_project_from_a_directory_below(nix: Nix, project: NixProject, locked: NixProject) -> None:
    below = project.directory / "agents" / "deep"
    assert a_shell(nix, project).enter(below).returncode == 0
    assert files_below(project.directory, *WRITTEN) == locked.outputs()
    assert not (below / ".claude").exists()


def test_it_leaves_alone_what_has_another_lock(nix: Nix, project: NixProject) -> None:
    shell = a_shell(nix, project)
    project.lock.write_text(project.lock.read_text() + "x: another\n")
    ended = shell.enter(project.directory)
    assert (ended.returncode, ended.stdout) == (0, "ready\n")
    assert "neither this directory nor one above has the lock that this shell was made from" in ended.stderr
    assert not (project.directory / ".claude").exists()


def test_it_can_be_left_out(nix: Nix, project: NixProject) -> None:
    ended = a_shell(nix, project).enter(project.directory, AGENT_SYNC_NO_HOOK="1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ready\n", "")
    assert not (project.directory / ".claude").exists()


@pytest.mark.parametrize(("strict", "code", "out"), [("false", 0, "ready\n"), ("true", 1, "")])
def test_where_files_cannot_be_written_it_warns_or_does_not_open(
    nix: Nix, project: NixProject, strict: str, code: int, out: str
) -> None:
    shell = a_shell(nix, project, f"strict = {strict};")
    (project.directory / ".claude").write_text("in the way\n")
    ended = shell.enter(project.directory)
    assert (ended.returncode, ended.stdout) == (code, out)
    assert ended.stderr.endswith("agent-sync: the files for agents were not synced\n")
    assert "error[" in ended.stderr


def test_a_hook_and_packages_of_ones_own_are_kept(nix: Nix, project: NixProject) -> None:
    shell = a_shell(nix, project, 'shellHook = "echo mine"; packages = [ "/usr" ];')
    assert shell.enter(project.directory).stdout == "mine\nready\n"


def test_arguments_of_the_program_can_be_chosen(nix: Nix, project: NixProject) -> None:
    shell = a_shell(nix, project, 'args = [ "--frozen" "--offline" "--dry-run" ];')
    assert shell.enter(project.directory).returncode == 0
    assert not (project.directory / ".claude").exists()
