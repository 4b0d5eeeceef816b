"""The two files of a new verb that CONTRIBUTING.md shows are a new verb: help, text, document, and schema."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES
from tests.builders.command_line import CommandMachine, a_local_machine
from tests.docs.pages import blocks

SCHEMA = """\
from agent_sync.cli.program import COMMANDS
from agent_sync.documents_out.document import document_schema_text
print(document_schema_text("outputs", COMMANDS["outputs"].to_document))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, with the files of the page."""
    directory = tmp_path_factory.mktemp("contributed")
    for name, source in PACKAGES.items():
        shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shown = [block for block in blocks("CONTRIBUTING.md") if block.language == "python"]
    assert len(shown) == 2
    for block in shown:
        assert block.file is not None
        assert not (directory / block.file).exists()
        (directory / block.file).write_text(block.text, encoding="utf-8")
    return directory


def run(packages: Path, machine: CommandMachine, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=machine.project,
        env=os.environ | {"PYTHONPATH": str(packages), "HOME": str(machine.home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_two_files_are_a_verb(packages: Path, tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, a_md="a\n")
    machine.run("update", "--yes")
    program = ("-m", "agent_sync")
    assert "  outputs  List the files that sync would write.\n" in run(packages, machine, *program, "--help")
    assert "agent-sync outputs" in run(packages, machine, *program, "outputs", "--help")
    assert run(packages, machine, *program, "outputs") == ".cursor/rules/a.md\n"
    document = json.loads(run(packages, machine, *program, "outputs", "--json"))
    assert (document["command"], document["paths"]) == ("outputs", [".cursor/rules/a.md"])
    schema = json.loads(run(packages, machine, "-c", SCHEMA))
    assert schema["properties"]["paths"] == {
        "description": "the paths of all output files",
        "type": "array",
        "items": {"type": "string"},
    }
