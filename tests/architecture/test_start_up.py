"""What an import and a short answer cost: nothing heavy is loaded before it is needed (performance: start-up)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT

_HEAVY = {"asyncio", "click", "httpx", "importlib.metadata", "pydantic", "pygit2", "rich", "typer", "yaml"}


def _loaded(*words: str) -> set[str]:
    """The modules that an interpreter with these arguments loads."""
    sources = os.pathsep.join((str(ROOT), str(ROOT / "oci")))
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        env=os.environ | {"PYTHONPATH": sources},
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}


def test_importing_the_library_loads_nothing_heavy() -> None:
    loaded = _loaded("-c", "import agent_sync")
    assert "agent_sync" in loaded
    assert loaded & _HEAVY == set()


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
