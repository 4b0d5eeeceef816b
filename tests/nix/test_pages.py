"""The pages about Nix, played and evaluated with real Nix: README.md, docs/how-to/nix.md, docs/reference/nix.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent_sync._version import __version__
from tests.architecture.tree import ROOT, files
from tests.builders.command_line import snapshot
from tests.builders.directories_in_memory import a_directory_in_memory
from tests.builders.nix_projects import SYSTEM, a_stub_of_nixpkgs
from tests.builders.repositories import a_git_repository
from tests.docs.pages import Block, blocks, codes, rows, section
from tests.docs.session import Step, agrees, play, steps_of
from tests.real.components import require
from tests.real.nix import Nix, a_nix

HOW_TO, REFERENCE = "docs/how-to/nix.md", "docs/reference/nix.md"
_ADDRESS = "git+https://git.example.com/agent-sync"
_RULES_ADDRESS = "https://github.com/acme/agent-rules.git"
_PARTS = ("flake.nix", "flake.lock", "nix/", "pyproject.toml", "README.md", "LICENSE", "agent_sync/", "oci/")
_STORE_PATH = re.compile(r"\S*/store/[0-9a-z]{32}-")

# A page names the repository by an address, and nixpkgs is what flake.lock pins: here they are what lies on this disk.
_SHIM = """\
#!/bin/sh
verb=$1
case $verb in
    build|develop|eval|run) shift ;;
    flake) [ "$2" = init ] && exec {nix} "$@"; verb="flake $2"; shift 2 ;;
    *) exec {nix} "$@" ;;
esac
exec {nix} $verb --no-write-lock-file --override-input nixpkgs path:{stub} \\
    --override-input agent-sync path:{repository} --override-input agent-sync/nixpkgs path:{stub} "$@"
"""


class Machine:
    """Nix with this repository at hand; the program is built from it once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nix: Nix = a_nix(directory / "nix")
        self.repository = directory / "repository"
        self.stub = a_stub_of_nixpkgs(directory / "stub")
        for name in files():
            if name.startswith(_PARTS):
                (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.repository / name)
        shim = directory / "bin" / "nix"
        shim.parent.mkdir()
        shim.write_text(_SHIM.format(nix=require("nix"), stub=self.stub, repository=self.repository))
        shim.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        environment = self.nix.environment
        return {**environment, "PATH": f"{self.directory}/bin:{environment['PATH']}"}

    def run(self, *words: str) -> str:
        """What a program says, both streams in one."""
        ran = subprocess.run(
            words,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with a_directory_in_memory() as directory:
        made = Machine(directory)
        yield made
        made.nix.forget()


def played(machine: Machine, steps: Sequence[Step], place: Path, addresses: dict[str, str]) -> None:
    """Every step says what the page shows."""
    for address, here in addresses.items():
        steps = [replace(step, command=step.command.replace(address, here)) for step in steps]
    outcomes = play(steps, place, machine.environment)
    for step, outcome in zip(steps, outcomes, strict=True):
        printed = _STORE_PATH.sub("/nix/store/", outcome.printed)
        assert agrees(_STORE_PATH.sub("/nix/store/", step.expected), printed), f"{step.place}\n{outcome.printed}"
        assert outcome.code == 0, f"{step.place}\n{outcome.printed}"


def test_the_flake_passes_its_own_check(machine: Machine) -> None:
    machine.run("nix", "flake", "check", f"path:{machine.repository}")


def test_the_program_runs_from_the_flake(machine: Machine) -> None:
    assert machine.run("nix", "run", f"path:{machine.repository}", "--", "--version").endswith(
        f"agent-sync {__version__}\n"
    )


def test_the_lock_of_the_flake_pins_nixpkgs_by_hash() -> None:
    lock = (ROOT / "flake.lock").read_text()
    assert '"narHash": "sha256-16KkgfdYqjaeRGBaYsNrhPRRENs0qzkQVUooNHtoy2w="' in lock
    [said] = re.findall(r"pins nixpkgs `([0-9a-f]{40})`", (ROOT / REFERENCE).read_text())
    assert f'"rev": "{said}"' in lock


def test_the_how_to_is_what_happens(machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    played(machine, steps_of(blocks(HOW_TO)), project, {_ADDRESS: f"path:{machine.repository}"})


def test_the_nix_of_the_readme_is_what_happens(machine: Machine, tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "agent-rules", {"security.md": "- A.\n", "style.md": "- B.\n"})
    repository.tag("v1.2.0")
    (tmp_path / "project" / "agents").mkdir(parents=True)
    (tmp_path / "project" / "agents" / "rules.md").write_text("- Ask first.\n")
    steps = steps_of(blocks("README.md"))
    assert any("nix develop" in step.command for step in steps)
    played(machine, steps, tmp_path / "project", {_RULES_ADDRESS: str(repository.path)})


def examples() -> list[Block]:
    return [block for block in blocks(REFERENCE) if block.language == "nix"]


def test_every_example_of_the_reference_can_be_evaluated(machine: Machine, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "nix" / "template", tmp_path, dirs_exist_ok=True)
    steps = [Step(f"agent-sync {words}", "...", words) for words in ("update --yes", "push oci:./cache --name a/b")]
    played(machine, steps, tmp_path, {})
    shown = "\n".join(f"(evaluated ({block.text}))" for block in examples())
    (tmp_path / "examples.nix").write_text(
        f"""
        let
          agent-sync = builtins.getFlake "path:{machine.repository}";
          pkgs = import {machine.stub}/packages.nix "{SYSTEM}";
          evaluated = value: builtins.stringLength (value.drvPath or (builtins.toJSON value));
        in [ {shown} ]
        """
    )
    found = json.loads(machine.nix.run("nix", "eval", "--json", "--impure", "--file", f"{tmp_path}/examples.nix").out)
    assert len(found) == len(examples()) > 5


def test_every_function_of_the_library_is_on_the_page(machine: Machine) -> None:
    told = {codes(row[0])[0].split()[0] for row in rows(section(REFERENCE, "Functions"))}
    assert told == set(machine.nix.value(f"builtins.attrNames (import {ROOT}/nix/lib.nix)"))


def test_the_template_is_locked(tmp_path: Path, machine: Machine) -> None:
    shutil.copytree(ROOT / "nix" / "template", tmp_path / "project")
    before = snapshot(tmp_path / "project")
    played(machine, [Step("agent-sync update --yes", "...", "template")], tmp_path / "project", {})
    assert {path: each for path, each in snapshot(tmp_path / "project").items() if path in before} == before
