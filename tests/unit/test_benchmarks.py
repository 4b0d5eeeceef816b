"""The benchmarks still run, and their table says what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Ended, Measured
from tests.benchmarks.rows import ROWS, Goal
from tests.benchmarks.table import BEGIN, END, PAGE, Result, into_page, markdown

_MEASURED = Measured(
    ours=(Ended(0.2, 30_000_000, 0.1), Ended(0.4, 50_000_000, 0.2), Ended(0.3, 40_000_000, 0.1)),
    theirs=(Ended(0.1, 0, 0.1), Ended(0.1, 0, 0.1), Ended(0.1, 0, 0.1)),
)


def test_a_row_runs_and_is_told_as_table_and_json(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    options = ("--scale", "0.001", "--runs", "1", "--json", str(file))
    shown = subprocess.check_output([sys.executable, "-m", "tests.benchmarks", "status-20000", *options], text=True)
    assert "| `status`, nothing to do, 20,000 files | `git status` |" in shown
    (row,) = json.loads(file.read_bytes())["rows"]
    assert row["name"] == "status-20000"
    assert row["ratio"] == row["ours"][0]["seconds"] / row["theirs"][0]["seconds"] > 0
    assert row["ours"][0]["peak_bytes"] > 5_000_000


def test_an_unknown_row_is_refused() -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.benchmarks", "statu"], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"no row is called statu" in ended.stderr


def test_ratios_are_those_of_neighbours_and_the_peak_is_the_highest() -> None:
    assert _MEASURED.ratios == pytest.approx([2, 3, 4])
    assert _MEASURED.ratio == pytest.approx(3)
    assert _MEASURED.cpu_ratio == pytest.approx(1)
    assert _MEASURED.peak_bytes == 50_000_000


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(ratio=3.1), True),
        (Goal(ratio=2.9), False),
        (Goal(milliseconds=301), True),
        (Goal(milliseconds=299), False),
        (Goal(megabytes=50), True),
        (Goal(megabytes=49), False),
    ],
)
def test_a_goal_is_met_by_the_median_and_the_peak(goal: Goal, met: bool) -> None:
    assert goal.met(_MEASURED) is met


def test_a_row_that_cannot_run_says_why() -> None:
    assert "| not run: zstd is not installed |" in markdown([Result(ROWS[0], None, "zstd is not installed")])


def test_the_table_replaces_what_stood_between_the_markers_of_the_page() -> None:
    assert into_page(f"a\n{BEGIN}\nold\n{END}\nb\n", "new\n") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    with pytest.raises(ValueError, match="markers"):
        into_page(f"a\n{BEGIN}\nb\n", "new\n")


def test_the_page_shows_every_row() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [row.name for row in ROWS if f"| {row.work} | {row.beside} |" not in page] == []


def test_rows_have_different_names() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
