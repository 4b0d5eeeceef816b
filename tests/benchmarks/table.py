"""What was measured, as a table for people, as JSON, and in the page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measured
from tests.benchmarks.rows import Goal, Row

PAGE = Path(__file__).parents[2] / "docs/reference/performance.md"
BEGIN = "<!-- written by `python -m tests.benchmarks --write` -->"
END = "<!-- end -->"

_HEAD = (
    "| Work | Compared with | Ratio | Min - max | CPU | Time | Other time | Peak memory | Goal | Met |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
)


@dataclass(frozen=True, slots=True)
class Result:
    """A row that was run, or the reason for which it was not."""

    row: Row
    measured: Measured | None
    skipped: str = ""


def markdown(results: Iterable[Result]) -> str:
    """The whole table; ends with a newline."""
    return "\n".join([*_HEAD, *(line(result) for result in results)]) + "\n"


def document(results: Iterable[Result], *, scale: float, runs: int) -> dict[str, Any]:
    """For JSON: seconds and bytes, every run of every row."""
    return {"scale": scale, "runs": runs, "rows": [_entry(result) for result in results]}


def into_page(page: str, table: str) -> str:
    """The page with the table between its two markers. Raises ValueError if one is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name}: the markers of the table are missing")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def line(result: Result) -> str:
    """One row of the table, without its newline."""
    row, measured = result.row, result.measured
    if measured is None:
        return _cells([row.work, row.beside, f"not run: {result.skipped}", "", "", "", "", "", _goal(row.goal), ""])
    ratio, ratios, cpu_ratio = measured.ratio, measured.ratios, measured.cpu_ratio
    return _cells(
        [
            row.work,
            row.beside,
            "" if ratio is None else f"{ratio:.2f}",
            f"{ratios[0]:.2f} - {ratios[-1]:.2f}" if ratios else "",
            "" if cpu_ratio is None else f"{cpu_ratio:.2f}",
            _time(measured.seconds),
            _time(measured.their_seconds),
            f"{measured.peak_bytes / 1e6:.0f} MB",
            _goal(row.goal),
            _met(row.goal, measured),
        ]
    )


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _goal(goal: Goal) -> str:
    bounds = [
        "" if goal.ratio is None else f"{goal.ratio:g} x",
        "" if goal.milliseconds is None else f"{goal.milliseconds:g} ms",
        "" if goal.megabytes is None else f"{goal.megabytes:g} MB",
    ]
    return ", ".join(bound for bound in bounds if bound)


def _met(goal: Goal, measured: Measured) -> str:
    if goal == Goal():
        return ""
    return "yes" if goal.met(measured) else "**no**"


def _entry(result: Result) -> dict[str, Any]:
    row, measured = result.row, result.measured
    about = {"name": row.name, "work": row.work, "beside": row.beside, "goal": asdict(row.goal)}
    if measured is None:
        return {**about, "skipped": result.skipped}
    return {
        **about,
        "met": None if row.goal == Goal() else row.goal.met(measured),
        "ratio": measured.ratio,
        "ratios": measured.ratios,
        "cpu_ratio": measured.cpu_ratio,
        "ours": [asdict(ended) for ended in measured.ours],
        "theirs": [asdict(ended) for ended in measured.theirs],
    }
