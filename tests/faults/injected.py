"""Real processes, and real system calls that kill them or fail: strace(1) does it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tests.real.components import require

# In tests/faults/injected_driver.py there is a failing one of each.
CALLS = (
    *("write", "renameat", "linkat", "unlinkat", "mkdirat", "fsync", "syncfs", "fchmod"),
    *("openat", "close", "read", "newfstatat", "flock", "pwrite64", "pread64"),
)
_ROOT = Path(__file__).resolve().parents[2]

Job = tuple[str, str, str, int]  # kind of work, directory, system call, failing calls of it before the work


class Moment(NamedTuple):
    """The `number`-th call (from 1) of one kind that the work makes."""

    syscall: str
    number: int


@dataclass(frozen=True)
class Injected:
    """Runs the driver under strace; `place` is a directory for the files that this takes.

    `warm` is a directory where it does a whole verb first, so that each process finds everything imported.
    """

    place: Path
    warm: Path | None = None

    def moments(self, kind: str, directory: Path) -> list[Moment]:
        """Every call that this work makes in this directory, which it changes."""
        made = self._counted([(kind, str(directory), "read", 0)])[-1]
        return [Moment(syscall, number) for syscall in CALLS for number in range(1, made[syscall] + 1)]

    def kill(self, kind: str, at: Mapping[Path, Moment]) -> list[int]:
        """Do the work in each directory, killed (SIGKILL) at its moment; how each process ended."""
        return self._inject(kind, at, "signal=SIGKILL")

    def fail(self, kind: str, at: Mapping[Path, Moment], error: str) -> list[int]:
        """Do the work in each directory, with this error from its moment's call; how each process ended."""
        return self._inject(kind, at, f"error={error}")

    @cached_property
    def _own(self) -> Counter[str]:
        """What Python calls by itself until it is ready to work: there nothing may be injected."""
        return self._counted([])[0]

    def _inject(self, kind: str, at: Mapping[Path, Moment], what: str) -> list[int]:
        when = {syscall: self._own[syscall] + 50 for syscall in CALLS}
        for syscall, number in at.values():
            when[syscall] = max(when[syscall], number)
        jobs = [(kind, str(directory), syscall, when[syscall] - number) for directory, (syscall, number) in at.items()]
        return self._run(jobs, "/dev/null", [f"--inject={syscall}:{what}:when={when[syscall]}" for syscall in CALLS])

    def _counted(self, jobs: Sequence[Job]) -> list[Counter[str]]:
        """The calls of the driver, and those of the process of each job."""
        log = self.place / "strace.log"
        self._run(jobs, str(log), [])
        made: dict[str, Counter[str]] = {}
        for line in log.read_text().splitlines():
            process, call = line.split(maxsplit=1)
            made.setdefault(process, Counter())[call.partition("(")[0]] += 1
        return list(made.values())

    def _run(self, jobs: Sequence[Job], log: str, options: Sequence[str]) -> list[int]:
        arguments = self.place / "jobs.json"
        warming = [] if self.warm is None else [("verb", str(self.warm), "warm", 0)]
        arguments.write_text(json.dumps([*warming, *jobs]))
        tracing = [str(require("strace")), "-f", "-qqq", "-e", f"trace={','.join(CALLS)}", "-o", log, *options]
        driver = [sys.executable, "-B", "-m", "tests.faults.injected_driver", str(arguments)]
        paths = {"PYTHONPATH": f"{_ROOT}:{_ROOT / 'oci'}", "PYTHONHASHSEED": "0"}
        subprocess.run([*tracing, *driver], check=True, cwd=_ROOT, env=paths, timeout=300)
        result: list[int] = json.loads(Path(f"{arguments}.out").read_text())
        return result
