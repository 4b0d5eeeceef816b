"""A person reads what an update would change, at a real terminal, while other processes use the same project."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine

OUTPUT = ".cursor/rules/a.md"
_PATIENCE_S = 60.0


@dataclass
class AtTerminal:
    """A running command, and the terminal that it sits at."""

    process: subprocess.Popen[bytes]
    terminal: int
    said: str = ""

    def wait_for(self, text: str) -> None:
        """Read until the command has said `text`."""
        until = time.monotonic() + _PATIENCE_S
        while text not in self.said:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"it never said {text!r}, but {self.said!r}"
            self.said += os.read(self.terminal, 4096).decode()

    def answer(self, text: str) -> int:
        """Type it, and return the exit code."""
        os.write(self.terminal, f"{text}\n".encode())
        return self.process.wait(timeout=_PATIENCE_S)

    @property
    def rest(self) -> str:
        """What the command has said by its end."""
        while select.select([self.terminal], [], [], 0.5)[0]:
            try:
                self.said += os.read(self.terminal, 4096).decode()
            except OSError:  # nobody is at the other end any more
                break
        return self.said


@contextmanager
def at_terminal(machine: CommandMachine, *words: str) -> Iterator[AtTerminal]:
    """The program with these words, at a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(machine.home), "TERM": "dumb", **machine.variables}
    with subprocess.Popen(
        [sys.executable, "-m", "agent_sync", *words],
        cwd=machine.project,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield AtTerminal(process, ours)
        finally:
            process.kill()
            os.close(ours)


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    """Everything is synced; then the source changes, and so does an output."""
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    return machine


def test_another_process_syncs_while_a_person_reads_and_the_answer_still_counts(machine: CommandMachine) -> None:
    machine.put("rules/a.md", "new\n")
    with at_terminal(machine, "update") as update:
        update.wait_for("[y/N]")
        machine.put("rules/a.md", "a\n")  # else sync would refuse it: it is not what is locked
        (machine.project / OUTPUT).unlink()
        before = time.monotonic()
        machine.run("sync")
        assert time.monotonic() - before < 8, "it waits 10 s for a project that is held"
        machine.put("rules/a.md", "new\n")
        assert update.answer("y") == 0, update.rest
    assert machine.read(OUTPUT) == "a\n"
    machine.run("sync")
    assert machine.read(OUTPUT) == "new\n"


def test_a_lock_that_another_process_wrote_while_a_person_read_is_not_overwritten(machine: CommandMachine) -> None:
    machine.put("rules/a.md", "new\n")
    with at_terminal(machine, "update") as update:
        update.wait_for("[y/N]")
        machine.put("rules/b.md", "a colleague's\n")
        machine.run("update", "--yes")
        theirs = machine.lock_bytes
        assert update.answer("y") == 19
        assert "error[moved-meanwhile]" in update.rest
        assert "nothing was written" in update.rest
    assert machine.lock_bytes == theirs
    machine.run("sync")
    assert machine.outputs() == {OUTPUT: "new\n", ".cursor/rules/b.md": "a colleague's\n"}


def test_whoever_declines_changes_nothing_whatever_happened_meanwhile(machine: CommandMachine) -> None:
    machine.put("rules/a.md", "new\n")
    with at_terminal(machine, "update") as update:
        update.wait_for("[y/N]")
        machine.run("update", "--yes")
        theirs = machine.lock_bytes
        assert update.answer("n") == 1
    assert machine.lock_bytes == theirs
