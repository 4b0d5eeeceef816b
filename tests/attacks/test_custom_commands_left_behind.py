"""Custom commands that leave processes behind, and those in charge being killed or told to stop in the middle."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_sync.adapters.sandbox.runner import SandboxRunner
from agent_sync.errors import Cancelled
from agent_sync.ports import Cancellation
from tests.builders.commands import EVERY_BENCH, PRELUDE, Bench, a_bench_for, named, refused


@pytest.fixture(params=EVERY_BENCH, ids=named)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench_for(*request.param)


# Three generations, deaf to every signal that can be ignored, with all descriptors closed, writing for ever.
_DAEMON = """
for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
for leave in (os.setsid, lambda: os.setpgid(0, 0)):
    if os.fork():
        if sys.argv[1] == "stays":
            time.sleep(60)
        time.sleep(0.3)
        os._exit(0)
    attempt("leave", leave)
os.closerange(0, 100)
late = os.open(output + "/late", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
while True:
    os.write(late, b"x")
    time.sleep(0.01)
"""


def processes_of(bench: Bench) -> list[int]:
    """The processes that were started with this bench's directories, by their environment; those of a supervisor,
    too.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"AGENT_SYNC_OUTPUT={bench.output}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has just ended, or is not ours to see
            continue
    return found


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])


def wait_until(holds: Callable[[], bool], *, patience_s: float = 15) -> None:
    until = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def assert_nobody_is_left(bench: Bench) -> None:
    assert processes_of(bench) == []
    size = (bench.output / "late").stat().st_size if (bench.output / "late").exists() else 0
    time.sleep(0.1)
    assert size == ((bench.output / "late").stat().st_size if (bench.output / "late").exists() else 0)


def test_a_daemon_that_is_left_behind_is_ended(bench: Bench) -> None:
    outcome = bench.run("python3", "-c", PRELUDE + _DAEMON, "goes")
    assert outcome.exit_code == 0
    assert outcome.attempts == refused("leave")
    assert (bench.output / "late").stat().st_size > 0
    assert_nobody_is_left(bench)


def test_a_crowd_that_is_left_behind_is_waited_for(bench: Bench) -> None:
    """A killed process still runs until its memory is taken apart: the last write must be before the result."""
    script = """
reading, writing = os.pipe()
first = all([os.fork() for _ in range(6)])  # of 64
heap = bytes(range(256)) * 40_000
os.write(writing, b"x")
if first:
    for _ in range(64):
        os.read(reading, 1)
    os._exit(0)
os.closerange(0, 100)  # nothing but the process table tells of them any more
time.sleep(60)
"""
    assert bench.run("python3", "-c", PRELUDE + script).exit_code == 0
    assert processes_of(bench) == []


def test_what_takes_too_long_is_ended_with_all_its_children_and_nothing_is_left_in_the_output(bench: Bench) -> None:
    started = time.monotonic()
    outcome = bench.run("python3", "-c", PRELUDE + _DAEMON, "stays", timeout_s=1)
    assert time.monotonic() - started < 8
    assert (outcome.error, outcome.check) == ("LimitExceeded", "runs for longer than 1 s (command_timeout)")
    assert_nobody_is_left(bench)
    assert list(bench.output.iterdir()) == []


@pytest.mark.parametrize("killed", ["the caller", "the supervisor"])
def test_nobody_is_left_when_one_of_those_in_charge_is_killed(bench: Bench, killed: str) -> None:
    command = bench.command("python3", "-c", PRELUDE + _DAEMON, "stays")
    with bench.start_elsewhere(command) as caller:
        wait_until(lambda: len(processes_of(bench)) == 4 and (bench.output / "late").exists())
        (supervisor,) = (each for each in processes_of(bench) if parent_of(each) == caller.pid)
        os.kill(supervisor if killed == "the supervisor" else caller.pid, signal.SIGKILL)
        wait_until(lambda: processes_of(bench) == [])
        assert caller.stdout is not None
        answer = json.loads(caller.stdout.read() or "{}")
    assert_nobody_is_left(bench)
    if killed == "the supervisor":  # which is an error, and not a result
        assert (answer["error"], "ended with -9" in answer["check"]) == ("TransformFailed", True)
        assert list(bench.output.iterdir()) == []


def test_cancelling_ends_the_command_and_empties_the_output() -> None:
    for bench in a_bench_for(*EVERY_BENCH[0]):
        cancellation = Cancellation()
        command = bench.command("python3", "-c", PRELUDE + _DAEMON, "stays")
        threading.Timer(0.8, cancellation.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            SandboxRunner().run(command, cancellation=cancellation)
        assert time.monotonic() - started < 8
        assert_nobody_is_left(bench)
        assert [each.name for each in bench.scratch.iterdir() if each.name.startswith("home-")] == []
        assert list(bench.output.iterdir()) == []
