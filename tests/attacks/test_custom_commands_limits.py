"""Custom commands that use up the machine: processes, memory, disk, patience."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.builders.commands import EVERY_BENCH, PRELUDE, Bench, a_bench_for, named


@pytest.fixture(params=(EVERY_BENCH[0], EVERY_BENCH[-1]), ids=named)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench_for(*request.param)


def left_over(bench: Bench) -> list[str]:
    """What is in the scratch directory besides what was there."""
    known = {"program", "input", "output", "outside"}
    return sorted({each.name for each in bench.scratch.iterdir()} - known) + os.listdir(bench.output)


def test_a_fork_bomb_is_ended(bench: Bench) -> None:
    script = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    started = time.monotonic()
    outcome = bench.run("python3", "-c", script, timeout_s=30)
    assert (outcome.error, outcome.check) == ("LimitExceeded", "has more than 1024 processes and threads at once")
    assert time.monotonic() - started < 20


def test_a_few_hundred_processes_are_fine(bench: Bench) -> None:
    script = (
        "import os, time\nfor _ in range(300):\n    if not os.fork():\n        time.sleep(0.3)\n        os._exit(0)\n"
    )
    assert bench.run("python3", "-c", script).exit_code == 0


def test_memory_is_bounded(bench: Bench) -> None:
    script = "import mmap\nmmap.mmap(-1, 3 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)"
    outcome = bench.run("python3", "-c", script)
    assert outcome.exit_code == 1
    assert "Cannot allocate memory" in outcome.printed


def test_a_file_that_grows_too_large_ends_its_writer(bench: Bench) -> None:
    outcome = bench.run("sh", "-c", 'cat /dev/zero > "$AGENT_SYNC_OUTPUT/zero"', max_output_bytes=1_000_000)
    assert outcome.exit_code == 128 + signal.SIGXFSZ
    assert (bench.output / "zero").stat().st_size == 1_000_000


_MANY = {
    "bytes": (
        'while True:\n    open(f"{at}/{next(numbers)}", "wb").write(bytes(500_000))',
        "writes more than 3000000 bytes",
    ),
    "holes": (
        'while True:\n    os.truncate(os.open(f"{at}/{next(numbers)}", os.O_CREAT | os.O_RDWR), 2_000_000)',
        "3000000 bytes",
    ),
    "files": ('while True:\n    open(f"{at}/{next(numbers)}", "w").close()', "more than 100 files"),
    "directories": ('while True:\n    os.mkdir(f"{at}/{next(numbers)}")', "more than 100 files or directories"),
    "depth": ('os.chdir(at)\nfor _ in range(20000):\n    os.mkdir("d")\n    os.chdir("d")', "deeper than 100"),
}


@pytest.mark.parametrize("place", ["AGENT_SYNC_OUTPUT", "HOME"])
@pytest.mark.parametrize("what", _MANY)
def test_the_output_and_the_home_are_bounded_and_emptied(bench: Bench, what: str, place: str) -> None:
    write, message = _MANY[what]
    script = f"import itertools\nnumbers = itertools.count()\nat = os.environ[{place!r}]\n{write}\ntime.sleep(30)"
    outcome = bench.run("python3", "-c", PRELUDE + script, max_output_bytes=3_000_000, max_files=100)
    assert outcome.error == "LimitExceeded"
    assert message in outcome.check
    assert left_over(bench) == []


def test_too_much_at_the_very_end_is_seen_too(bench: Bench) -> None:
    script = 'for number in range(101):\n    open(f"{output}/{number}", "w").close()'
    assert bench.run("python3", "-c", PRELUDE + script, max_files=100).error == "LimitExceeded"
    assert left_over(bench) == []
    assert bench.run("python3", "-c", PRELUDE + script, max_files=101).exit_code == 0


def test_a_directory_that_locks_out_its_owner_is_removed_all_the_same(bench: Bench) -> None:
    script = """
for at in (output, home):
    os.makedirs(at + "/a/b/c")
    for name in ("/a/b/c", "/a/b", "/a"):
        os.mkdir(at + name + "/locked", 0)
    open(at + "/a/b/file", "w").close()
time.sleep(60)
"""
    outcome = bench.run("python3", "-c", PRELUDE + script, timeout_s=1)
    assert outcome.error == "LimitExceeded"
    assert left_over(bench) == []


def test_endless_talk_is_cut_to_its_tail(bench: Bench) -> None:
    script = 'for number in range(200000):\n    print("line", number)\nprint("\\x1b[2J\\udcff the end")'
    outcome = bench.run(
        "python3", "-X", "utf8", "-c", f"import sys\nsys.stdout.reconfigure(errors='surrogateescape')\n{script}"
    )
    assert outcome.exit_code == 0
    assert len(outcome.printed) <= 65536 + 3  # one byte became an escape
    assert outcome.printed.endswith("line 199999\n\x1b[2J\\xff the end\n")
    assert bench.run("yes", timeout_s=1).error == "LimitExceeded"
