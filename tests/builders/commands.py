"""Custom commands for tests: a scratch directory, the walls to build, the user to be, and what came of it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from agent_sync.adapters.sandbox.runner import SandboxRunner
from agent_sync.errors import AgentSyncError
from agent_sync.ports import Cancellation, Command

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534

# What every attack begins with: `attempt` does one forbidden thing and says whether it was done or refused.
PRELUDE = """
import ctypes, errno, fcntl, os, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
inside, output, home = (os.environ[name] for name in ("AGENT_SYNC_INPUT", "AGENT_SYNC_OUTPUT", "HOME"))
def raw(number, *arguments):
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = libc.syscall(number, *wide)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def attempt(name, do):
    try:
        do()
    except OSError as error:
        print(name, "refused:", errno.errorcode.get(error.errno, error.errno), flush=True)
    else:
        print(name, "done", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Walls:
    """What the kernel is to offer at most, and how a test calls it."""

    name: str
    namespaces: bool = True
    newest_landlock: int | None = None

    def __str__(self) -> str:
        return self.name


ALL_WALLS = (
    Walls("all walls"),
    Walls("no namespaces", namespaces=False),
    Walls("Linux 5.13", namespaces=False, newest_landlock=1),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status or the error, and what it printed."""

    exit_code: int | None
    printed: str = ""
    error: str = ""
    check: str = ""
    remedy: str = ""

    @property
    def attempts(self) -> dict[str, str]:
        """Name of an attempt -> `done` or `refused`."""
        rows = (line.split() for line in self.printed.splitlines())
        return {row[0]: row[1].rstrip(":") for row in rows if len(row) > 1 and row[1] in ("done", "refused:")}


@dataclass
class Bench:
    """A scratch directory in which commands are run. `user` is a number to be, None for oneself."""

    walls: Walls
    user: int | None
    scratch: Path
    without: list[tuple[int, int]] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.scratch / "output"

    def write(self, files: Mapping[str, str], *, mode: int = 0o644) -> None:
        """Files in the scratch directory, which belong to the user: `input/a.md`, `program/run.sh`,
        `outside/secret`.
        """
        for name, text in files.items():
            path = self.scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(mode)
        self.hand_over()

    def hand_over(self) -> None:
        """All that is in the scratch directory belongs to the user."""
        if self.user is not None:
            for path in (self.scratch, *self.scratch.rglob("*")):
                os.chown(path, self.user, self.user, follow_symlinks=False)

    def command(
        self, *words: str, timeout_s: float = 30, max_output_bytes: int = 50_000_000, max_files: int = 1000
    ) -> Command:
        """The command with this scratch directory's directories."""
        return Command(
            argv=words,
            program_directory=str(self.scratch / "program"),
            input=str(self.scratch / "input"),
            output=str(self.output),
            timeout_s=timeout_s,
            max_output_bytes=max_output_bytes,
            max_files=max_files,
        )

    def run(self, *words: str, **limits: float) -> Outcome:
        """What comes of the command in the sandbox."""
        return self.run_command(self.command(*words, **limits))  # type: ignore[arg-type]

    def run_command(self, command: Command) -> Outcome:
        """The same, in this process if it can be: as oneself, on this kernel."""
        if self.user is not None or self.without:
            return self._run_elsewhere(command)
        runner = SandboxRunner(namespaces=self.walls.namespaces, newest_landlock=self.walls.newest_landlock)
        try:
            finished = runner.run(command, cancellation=Cancellation())
        except AgentSyncError as error:
            return Outcome(None, error=type(error).__name__, check=error.check, remedy=error.remedy or "")
        return Outcome(finished.exit_code, finished.printed)

    def _run_elsewhere(self, command: Command) -> Outcome:
        with self.start_elsewhere(command) as driver:
            assert driver.stdout is not None
            answer = json.loads(driver.stdout.read())
        return Outcome(**{"exit_code": None, **answer})

    def start_elsewhere(self, command: Command) -> subprocess.Popen[bytes]:
        """A process of its own that runs the command, as the user, and answers on its standard output."""
        order = {
            "packages": [str(ROOT), str(ROOT / "oci")],
            "user": self.user,
            "without": self.without,
            "command": asdict(command),
            "walls": {"namespaces": self.walls.namespaces, "newest_landlock": self.walls.newest_landlock},
        }
        python = sys.executable if self.user is None else SYSTEM_PYTHON  # ours may lie where the user cannot go
        driver = subprocess.Popen(
            [python, "-I", str(ROOT / "tests/builders/command_driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert driver.stdin is not None
        driver.stdin.write(json.dumps(order).encode())
        driver.stdin.close()
        return driver

    def attempts(self, script: str, *words: str) -> dict[str, str]:
        """What each `attempt` of the Python script comes to in the sandbox."""
        outcome = self.run("python3", "-c", PRELUDE + script, *words)
        assert outcome.exit_code == 0, outcome
        return outcome.attempts

    def attempts_outside(self, script: str, *words: str) -> dict[str, str]:
        """The same without a sandbox: the control without which a refusal proves nothing."""
        self.output.mkdir(exist_ok=True)
        self.hand_over()
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", PRELUDE + script, *words],
            cwd=self.scratch / "input",
            env={
                "PATH": "/usr/bin:/bin",
                "AGENT_SYNC_INPUT": str(self.scratch / "input"),
                "AGENT_SYNC_OUTPUT": str(self.output),
                "HOME": str(self.scratch / "outside"),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )
        return Outcome(0, done.stdout).attempts


def a_bench(walls: Walls = ALL_WALLS[0], *, user: int | None = None) -> Bench:
    """A bench with an empty output, two files of input, a program directory and, outside, what must stay untouched."""
    scratch = Path(tempfile.mkdtemp(prefix="sandbox-test-", dir="/tmp"))
    for directory in ("program", "input", "output", "outside"):
        (scratch / directory).mkdir()
    bench = Bench(walls, user, scratch)
    bench.write({"input/a.md": "first\n", "input/sub/b.md": "second\n", "outside/file": "as it was\n"})
    return bench


def clear(bench: Bench) -> None:
    """The scratch directory is gone."""
    shutil.rmtree(bench.scratch, ignore_errors=True)


EVERY_BENCH = tuple((walls, user) for walls in ALL_WALLS for user in (None, NOBODY))


def named(bench: tuple[Walls, int | None]) -> str:
    """How a test on this bench is called."""
    return f"{bench[0]}, {'oneself' if bench[1] is None else 'nobody'}"


def a_bench_for(walls: Walls, user: int | None) -> Iterator[Bench]:
    """A bench for one test, cleared afterwards; skipped where it cannot be had."""
    if not os.path.exists(SYSTEM_PYTHON):
        pytest.skip(f"the attackers are programs for {SYSTEM_PYTHON}")
    if user is not None and (os.geteuid() != 0 or not _runs_for_others()):
        pytest.skip("only root can become somebody else, and only one for whom this code runs")
    bench = a_bench(walls, user=user)
    yield bench
    clear(bench)


@functools.cache
def _runs_for_others() -> bool:
    """Whether somebody without rights can read this code, and the system's Python is new enough for it."""
    if not all(each.stat().st_mode & 0o001 for each in (ROOT, *ROOT.parents)):
        return False
    script = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([SYSTEM_PYTHON, "-c", script], check=False).returncode == 0


def refused(*names: str) -> dict[str, str]:
    """Each of these attempts is refused."""
    return dict.fromkeys(names, "refused")


def done(*names: str) -> dict[str, str]:
    """Each of these attempts succeeds."""
    return dict.fromkeys(names, "done")
