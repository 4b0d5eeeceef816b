"""The wheel that a user installs: both packages, their types, the command, the license, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from agent_sync._version import __distribution__, __version__
from tests.architecture.tree import PACKAGES, ROOT, files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return next(directory.glob("*.whl"))


def test_the_distribution_has_the_name_that_info_shows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == __distribution__ == "agent-sync-lock"


# Until the distribution is published, the one way to install it is from a clone: `python -m pip install .`.
_UNPUBLISHED = re.compile(
    r"pip3? install (?:-\S+ +)*['\"]?agent[-_]sync|uv (?:tool install|pip install|add)|uvx +['\"]?agent|pipx"
)


def test_nothing_tells_to_install_what_is_not_published() -> None:
    """Neither README, docs, templates, nor help; the help is in the modules of the commands."""
    told = [name for name in files() if not name.startswith(("tests/", ".ci/"))]
    assert {"README.md", "docs/index.md", "agent_sync/cli/commands/info.py", "nix/template/flake.nix"} <= set(told)
    assert [name for name in told if _UNPUBLISHED.search((ROOT / name).read_text(encoding="utf-8"))] == []
    assert "\npython -m pip install .\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "pip install agent-sync", "pip install agent-sync-lock", "python3 -m pip3 install agent_sync_lock",
        "pip install --upgrade --quiet agent-sync", "pip install -U 'agent-sync-lock[all]'",
        "uv tool install agent-sync", "uv add agent-sync-lock", "uv pip install agent-sync-lock",
        "uvx agent-sync check", "pipx install agent-sync-lock", "pipx run agent-sync",
    ],
)  # fmt: skip
def test_every_way_to_install_from_an_index_is_found(line: str) -> None:
    assert _UNPUBLISHED.search(f"Run `{line}` first.")
    assert not _UNPUBLISHED.search("python -m pip install .")


def test_it_bears_the_version_of_the_program(wheel: Path) -> None:
    assert wheel.name == f"agent_sync_lock-{__version__}-py3-none-any.whl"


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
    beside = {f"agent_sync_lock-{__version__}.data", f"agent_sync_lock-{__version__}.dist-info"}
    assert {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()} == PACKAGES.keys() | beside


def test_the_command_and_the_licence_come_with_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    command = archive.getinfo(f"agent_sync_lock-{__version__}.data/scripts/agent-sync")
    assert command.external_attr >> 16 & 0o111, "installers keep the mode: it must be executable"
    assert archive.read(command).startswith(b"#!python\n")
    licence = archive.read(f"agent_sync_lock-{__version__}.dist-info/licenses/LICENSE")
    assert licence == (ROOT / "LICENSE").read_bytes()
