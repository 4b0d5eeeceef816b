"""Targets on a file system of their own, where no rename from the project reaches: all of it or nothing there, too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unshare() -> str:
    """Runs a program where it may mount."""
    found = shutil.which("unshare")
    if found is None or subprocess.run([found, "-rm", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    return found


@pytest.mark.parametrize("mounted", [".claude/rules", ".windsurf/rules"])
def test_killed_at_any_call_it_recovers_and_the_next_run_leaves_what_is_wanted(
    unshare: str, tmp_path: Path, mounted: str
) -> None:
    driver = [sys.executable, "-B", "-m", "tests.faults.mounted_driver", str(tmp_path), mounted, "12"]
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}"}
    ended = subprocess.run([unshare, "-rm", *driver], cwd=_ROOT, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
