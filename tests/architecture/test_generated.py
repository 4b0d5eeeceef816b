"""Files that a program writes are as it writes them, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.tree import ROOT
from tests.generated import GENERATORS, stale_files, write_files


def test_every_generated_file_is_up_to_date() -> None:
    assert stale_files(ROOT, GENERATORS) == []


def test_a_changed_and_a_missing_file_are_stale_until_written(tmp_path: Path) -> None:
    generators = (lambda: {"b/changed.md": "new\n", "a.md": "same\n"}, lambda: {"b/missing.md": "x"})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "changed.md").write_text("old\n")
    (tmp_path / "a.md").write_text("same\n")
    assert stale_files(tmp_path, generators) == ["b/changed.md", "b/missing.md"]
    assert write_files(tmp_path, generators) == ["b/changed.md", "b/missing.md"]
    assert stale_files(tmp_path, generators) == []
