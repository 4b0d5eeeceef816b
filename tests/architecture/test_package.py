"""The wheel that a user installs: both packages, their types, the command, the licence, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent_sync._version import __version__
from tests.architecture.tree import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return next(directory.glob("*.whl"))


def test_it_bears_the_version_of_the_program(wheel: Path) -> None:
    assert wheel.name == f"agent_sync-{__version__}-py3-none-any.whl"


def test_every_module_of_both_packages_is_inside_at_the_top(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"{package}/{path.relative_to(directory)}"
        for package, directory in PACKAGES.items()
        for path in directory.rglob("*.py")
    }
    assert expected <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_nothing_else_is_inside(wheel: Path) -> None:
    beside = {f"agent_sync-{__version__}.data", f"agent_sync-{__version__}.dist-info"}
    assert {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()} == PACKAGES.keys() | beside


def test_the_command_and_the_licence_come_with_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    command = archive.getinfo(f"agent_sync-{__version__}.data/scripts/agent-sync")
    assert command.external_attr >> 16 & 0o111, "installers keep the mode: it must be executable"
    assert archive.read(command).startswith(b"#!python\n")
    licence = archive.read(f"agent_sync-{__version__}.dist-info/licenses/LICENSE")
    assert licence == (ROOT / "LICENSE").read_bytes()
