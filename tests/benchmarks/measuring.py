"""Two commands run in turn, A B A B, because a machine's speed drifts: their ratio says more than their times."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """A program to be timed. One that `reports` prints its own seconds: only a part of its run is of interest."""

    words: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    reports: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How long a command took, the most memory that it, or a process that it waited for, held at a time, and how long
    processors were busy with all of these.
    """

    seconds: float
    peak_bytes: int
    cpu_seconds: float


Side = Callable[[Path], Command]
"""Prepares one run, which is not timed. The directory is empty, belongs to this run alone and is removed after it."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Ours against theirs (None: nothing to compare with); `warm` runs each once before anything is timed."""

    ours: Side
    theirs: Side | None = None
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Every run of both sides, in order; `theirs` is empty or as long as `ours`."""

    ours: tuple[Ended, ...]
    theirs: tuple[Ended, ...]

    @property
    def seconds(self) -> float:
        """Median of ours."""
        return statistics.median(ended.seconds for ended in self.ours)

    @property
    def their_seconds(self) -> float | None:
        return statistics.median(ended.seconds for ended in self.theirs) if self.theirs else None

    @property
    def ratios(self) -> list[float]:
        """Ours to theirs, of each pair that ran one after the other, ascending."""
        return sorted(ours.seconds / theirs.seconds for ours, theirs in zip(self.ours, self.theirs, strict=False))

    @property
    def ratio(self) -> float | None:
        """The median of `ratios`."""
        return statistics.median(self.ratios) if self.theirs else None

    @property
    def cpu_ratio(self) -> float | None:
        """The same of the processor time, which says more than time where others use the machine."""
        pairs = zip(self.ours, self.theirs, strict=False)
        return (
            statistics.median(ours.cpu_seconds / theirs.cpu_seconds for ours, theirs in pairs) if self.theirs else None
        )

    @property
    def peak_bytes(self) -> int:
        """The highest of ours."""
        return max(ended.peak_bytes for ended in self.ours)


def measure(contest: Contest, room: Path, *, runs: int) -> Measured:
    """What `runs` pairs of runs took, in directories below `room`. Raises RuntimeError if a command fails."""
    sides = [side for side in (contest.ours, contest.theirs) if side is not None]
    if contest.warm:
        for side in sides:
            _run_once(side, room)
    ended = [[_run_once(side, room) for side in sides] for _ in range(runs)]
    return Measured(tuple(pair[0] for pair in ended), tuple(pair[1] for pair in ended if len(pair) > 1))


def run(command: Command) -> Ended:
    """Runs it to its end. Raises RuntimeError with what it said if it fails."""
    started = time.perf_counter()
    with subprocess.Popen(
        command.words,
        cwd=command.cwd,
        env=command.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command.words)}: exit code {process.returncode}\n{said.decode()}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Ended(float(said) if command.reports else seconds, usage.ru_maxrss * 1024, cpu_seconds)


def _run_once(side: Side, room: Path) -> Ended:
    fresh = room / "run"
    fresh.mkdir()
    try:
        return run(side(fresh))
    finally:
        shutil.rmtree(fresh)
