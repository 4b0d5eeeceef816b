"""What an import and a short answer cost: nothing heavy is loaded before it is needed (performance: start-up)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.builders.command_line import CommandMachine, a_local_machine

_HEAVY = {
    *("asyncio", "click", "cryptography", "httpx", "importlib.metadata", "oras", "pydantic", "pygit2", "rich"),
    *("sigstore", "typer", "yaml", "zstandard"),
}
_WAYS_OUT = {f"agent_sync.adapters.{name}" for name in ("git", "network", "nix", "sandbox.runner")}


def _loaded(*words: str, machine: CommandMachine | None = None) -> set[str]:
    """The modules that an interpreter with these arguments loads, in the project of the machine if there is one."""
    sources = os.pathsep.join((str(ROOT), str(ROOT / "oci")))
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        cwd=None if machine is None else machine.project,
        env=os.environ | {"PYTHONPATH": sources} | ({} if machine is None else {"HOME": str(machine.home)}),
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("module", sorted(_WAYS_OUT))
def test_what_must_not_be_loaded_is_a_module_of_that_name(module: str) -> None:
    assert find_spec(module) is not None


def test_importing_the_library_loads_nothing_heavy() -> None:
    loaded = _loaded("-c", "import agent_sync")
    assert "agent_sync" in loaded
    assert loaded & _HEAVY == set()


def test_wiring_loads_no_models_before_a_configuration_is_read() -> None:
    loaded = _loaded("-c", "import agent_sync.wiring")
    assert loaded & (_HEAVY | {"agent_sync.config.model", "typing_extensions"}) == set()


def test_r100_the_library_does_not_load_the_command_line() -> None:
    """R100 (spec §10.3): the library is independent of the command line."""
    loaded = _loaded("-c", "import agent_sync; [getattr(agent_sync, name) for name in agent_sync.__all__]")
    assert {name for name in loaded if name.split(".")[:2] == ["agent_sync", "cli"]} == set()
    assert loaded & {"click", "rich", "typer"} == set()


def test_the_version_is_answered_without_anything_heavy() -> None:
    loaded = _loaded("-m", "agent_sync", "--version")
    assert "agent_sync._version" in loaded
    assert loaded & _HEAVY == set()


def test_the_installed_command_is_as_light_as_python(tmp_path: Path) -> None:
    """The stub that older installers write for an entry point imports `re`; ours does not."""
    command = Path(sys.executable).with_name("agent-sync")
    answer = subprocess.run([command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("agent-sync ")
    loaded = _loaded(str(command), "--version")
    assert loaded & (_HEAVY | {"re"}) == set()


@pytest.mark.parametrize("command", ["sync", "status", "check"])
def test_a_run_with_nothing_to_fetch_or_to_make_does_not_load_what_would(tmp_path: Path, command: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    loaded = _loaded("-m", "agent_sync", command, machine=machine)
    assert "agent_sync.wiring" in loaded, "it is no answer from a receipt"
    unneeded = {"agent_sync.transform.template", "cryptography", "httpx", "oras", "pygit2", "sigstore", "zstandard"}
    assert loaded & (_WAYS_OUT | unneeded) == set()
