"""How much a run makes before it works: modules and dataclasses are counted, since a count does not flake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.repositories import a_git_repository

# Runs one command, and writes down what is loaded when it has answered.
_COUNTING = """\
import json, os, sys
from agent_sync.cli.program import run
from agent_sync.cli.run import Invocation
from agent_sync.cli.screen import standard_streams
from agent_sync.ports import Cancellation

code = run(sys.argv[1:], Invocation(standard_streams(), os.environ, Cancellation()))
modules = dict(sys.modules)
made = {
    value
    for module in modules.values()
    for value in list(vars(module).values())
    if isinstance(value, type) and "__dataclass_params__" in vars(value)
    and value.__dataclass_params__.init  # a record's methods are shared, and its `__init__` is one of its own
}
counts = {
    "modules": len(modules),
    "ours": sum(name.partition(".")[0] in ("agent_sync", "agent_sync_oci") for name in modules),
    "dataclasses": len(made),
    "heavy": sorted({"cryptography", "httpx", "oras", "pygit2", "sigstore", "zstandard"} & modules.keys()),
}
with open(os.environ["COUNTS"], "w") as file:
    json.dump(counts, file)
sys.exit(code)
"""

# Upper bounds, a little above what was counted: raise one only with a reason, and measure the time beside it.
_BOUNDS = {
    "sync": {"modules": 378, "ours": 92, "dataclasses": 60},
    "status": {"modules": 371, "ours": 85, "dataclasses": 60},
    "update": {"modules": 399, "ours": 104, "dataclasses": 61},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> CommandMachine:
    """A project of one git source, locked and written."""
    place = tmp_path_factory.mktemp("counted")
    upstream = a_git_repository(place / "upstream", {f"rules/{number}.md": "x\n" for number in range(20)})
    config = (
        f"version: 1\nsources:\n  - {{name: rules, type: git, repo: '{upstream.path}', ref: main}}\n"
        "targets:\n  - {source: rules, destination: .rules}\n"
    )
    made = a_machine(place, {"agent-sync.yaml": config})
    made.lock_and_sync()
    return made


@pytest.mark.parametrize("command", _BOUNDS)
def test_a_run_loads_no_more_than_it_did(machine: CommandMachine, tmp_path: Path, command: str) -> None:
    counts = tmp_path / "counts.json"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(machine.home),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "oci"))),
        "AGENT_SYNC_CACHE": str(tmp_path / "cache"),  # no receipt, and nothing cached
        "COUNTS": str(counts),
    }
    words = [command, "--yes"] if command == "update" else [command]
    subprocess.run(
        [sys.executable, "-c", _COUNTING, *words], cwd=machine.project, env=environment, check=True, capture_output=True
    )
    found = json.loads(counts.read_text())
    assert found.pop("heavy") == [], "loaded without need"
    assert {name: number for name, number in found.items() if number > _BOUNDS[command][name]} == {}
