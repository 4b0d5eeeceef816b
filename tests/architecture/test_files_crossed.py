"""How many files a reader crosses who follows one `sync` (python -m tests.benchmarks.files_crossed)."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.tree import ROOT

_MOST_FILES = 60


def test_a_sync_of_one_file_crosses_at_most_sixty_files() -> None:
    counting = (sys.executable, "-m", "tests.benchmarks.files_crossed")
    told = subprocess.run(counting, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    first, *files = told.splitlines()
    assert first.startswith(f"{len(files)} files, ")
    assert any(each.endswith("agent_sync/operations/sync.py") for each in files), "the sync was profiled"
    assert len(files) <= _MOST_FILES, told
