"""What a clean answer says when it is given again, and where it cannot be said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.test_receipts import answer, machine, repeats
from tests.builders.command_line import CommandMachine, a_machine

__all__ = ["machine"]  # a fixture: it is asked for by its name


def test_warnings_are_repeated_on_the_stream_they_belong_to(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"rules/a.md": "a\n", "rules/b.md": "b\n"})
    source = "  - {name: NAME, type: local, path: ./rules/, exclude: [EXCLUDE]}\n"
    sources = source.replace("NAME", "used").replace("EXCLUDE", "b.md") + source.replace("NAME", "idle")
    machine.configure(
        f"version: 1\nsources:\n{sources.replace('EXCLUDE', 'a.md')}targets:\n  - {{source: used, tools: [cursor]}}\n"
    )
    machine.lock_and_sync()
    first = machine.run("status")
    assert "idle" in first.err
    assert "SOURCE" in first.out
    assert repeats(machine, "status")
    assert machine.run("status") == first


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_closed_stream_is_nobodys_file(machine: CommandMachine, descriptor: int) -> None:
    closed = [sys.executable, "-c", f"import os, sys; os.close({descriptor}); os.execv(sys.executable, sys.argv[1:])"]
    ended = subprocess.run(
        [*closed, sys.executable, "-m", "agent_sync", "status"],
        cwd=machine.project,
        env={**os.environ, "HOME": str(machine.home)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0
    assert (b"SOURCE" in ended.stdout) == (descriptor == 2)
    assert answer(machine, "status").code == 0


def test_a_full_disk_behind_standard_output_is_told_as_ever(machine: CommandMachine) -> None:
    words = [sys.executable, "-m", "agent_sync", "status"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            words,
            cwd=machine.project,
            env={**os.environ, "HOME": str(machine.home)},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 17
    assert b"standard output" in ended.stderr
