"""The real programs and data that a test asks for: there, or a skip that says why, or (REQUIRE_REAL=1) a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_LISTS = Path(__file__).resolve().parents[2] / ".ci"
# Where .ci/go-tools and .ci/node-tools build; looked up at import, before this process gets a HOME of its own.
_TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-sync-tools"
_GO_TOOLS = _TOOLS / "go" / "bin"


def require(program: str) -> Path:
    """Where `program` (a line of .ci/system-packages or go-tools.txt) is; without it the test does not run."""
    commands = _listed("system-packages", "apt-get install") | _listed("go-tools.txt", "go install")
    command = commands[program]
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:{_GO_TOOLS}")
    if found is None:
        cannot_run(f"{program} is not installed here: {command}, or `make programs`")
    return Path(found)


def require_node_packages() -> Path:
    """The `node_modules` of .ci/node; without it the test does not run."""
    if not (_TOOLS / "node" / "installed").is_file():
        cannot_run("the packages of .ci/node are not installed here: `make programs`")
    return _TOOLS / "node" / "node_modules"


def require_real_rules() -> Path:
    """The git bundle that the environment variable REAL_RULES names; without it the test does not run."""
    named = os.environ.get("REAL_RULES")
    if not named:
        cannot_run("REAL_RULES names no git bundle of real rules")
    if not Path(named).is_file():
        cannot_run(f"REAL_RULES names {named}, and no file is there")
    return Path(named)


def cannot_run(reason: str) -> NoReturn:
    """The test does not run, and says why; where everything must be there, it fails."""
    if os.environ.get("REQUIRE_REAL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _listed(name: str, installer: str) -> dict[str, str]:
    """The programs of a list, each with the command that installs it."""
    lines = (_LISTS / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {program: f"{installer} {package}" for program, package in pairs}
