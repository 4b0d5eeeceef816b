"""`python -m tests.benchmarks [ROW ...]`: measures, and prints the table; a slow result is never a failure."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.inputs import Room, a_room
from tests.benchmarks.measuring import measure
from tests.benchmarks.rows import ROWS, Row
from tests.benchmarks.table import PAGE, Result, document, into_page, line, markdown


def main(words: Sequence[str]) -> None:
    """Runs the rows that are named, or all."""
    options = _options(words)
    chosen = [row for row in ROWS if not options.rows or row.name in options.rows]
    with a_room(options.scale) as room:
        results = list(_results(chosen, room, runs=options.runs))
    table = markdown(results)
    print(
        table if options.scale == 1 else f"{table}\nEvery input was shrunk to {options.scale:g} of what the table says."
    )
    if options.json is not None:
        measured = document(results, scale=options.scale, runs=options.runs)
        options.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    if options.write:
        PAGE.write_text(into_page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


def _results(rows: Sequence[Row], room: Room, *, runs: int) -> Iterator[Result]:
    for row in rows:
        result = _result(row, room, runs=runs)
        print(f"{row.name}: {line(result)}", file=sys.__stderr__, flush=True)  # a full run takes minutes
        yield result


def _result(row: Row, room: Room, *, runs: int) -> Result:
    try:
        contest = row.prepare(room)
    except LookupError as missing:
        return Result(row, None, str(missing))
    return Result(row, measure(contest, room.path, runs=runs))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks every input (default: 1)")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs of every row (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every run there")
    parser.add_argument("--write", action="store_true", help=f"puts the table into {PAGE.name}")
    options = parser.parse_args(words)
    unknown = sorted(set(options.rows) - {row.name for row in ROWS})
    if unknown:
        parser.error(f"no row is called {', '.join(unknown)}")
    if options.runs < 1 or not 0 < options.scale <= 1:
        parser.error("--runs is at least 1, --scale above 0 and at most 1")
    if options.write and (options.rows or options.scale != 1):
        parser.error("--write needs every row at full size")
    return options


if __name__ == "__main__":
    main(sys.argv[1:])
