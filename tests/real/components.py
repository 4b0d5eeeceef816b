"""The real programs and data that a test asks for: there, or a skip that says why, or (REQUIRE_REAL=1) a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_SYSTEM_PACKAGES = Path(__file__).resolve().parents[2] / ".ci" / "system-packages"


def require(program: str) -> Path:
    """Where `program` (a line of .ci/system-packages) is installed; without it the test does not run."""
    package = _packages()[program]
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        _cannot_run(f"{program} is not installed here: apt-get install {package}, or `make programs`")
    return Path(found)


def require_real_rules() -> Path:
    """The git bundle that the environment variable REAL_RULES names; without it the test does not run."""
    named = os.environ.get("REAL_RULES")
    if not named:
        _cannot_run("REAL_RULES names no git bundle of real rules")
    if not Path(named).is_file():
        _cannot_run(f"REAL_RULES names {named}, and no file is there")
    return Path(named)


def _packages() -> dict[str, str]:
    lines = _SYSTEM_PACKAGES.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def _cannot_run(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_REAL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
