"""The real program as a process: streams that are closed, readers that leave, signals, terminals."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.screens import ESC

PROGRAM = [sys.executable, "-m", "agent_sync"]

SLOW = """\
version: 1
sources:
  - {{name: slow, type: url, url: "http://127.0.0.1:{port}/a.md", checksum: "sha256:{digest}"}}
targets: [{{source: slow, tools: [cursor]}}]
"""


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    return a_local_machine(tmp_path)


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def environment(machine: CommandMachine, **variables: str) -> dict[str, str]:
    return {**os.environ, "HOME": str(machine.home), **variables}


def shell(machine: CommandMachine, redirected: str, **variables: str) -> tuple[int, str]:
    """The program in a shell line, as `{program} sync >&-`; its exit code and what reached standard error."""
    line = redirected.format(program=shlex.join(PROGRAM))
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=machine.project,
        env=environment(machine, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_before_it_began_does_no_harm(machine: CommandMachine, closed: str) -> None:
    code, err = shell(machine, f"{{program}} update --yes {closed}")
    assert (code, err) == (0, "")
    lock = machine.lock_bytes
    assert shell(machine, f"{{program}} sync {closed}") == (0, "")
    assert machine.lock_bytes == lock
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}


def test_a_reader_that_leaves_is_no_failure(machine: CommandMachine) -> None:
    assert shell(machine, "{program} info | true") == (0, "")
    assert shell(machine, "{program} --help | true") == (0, "")


def test_a_full_disk_is_one(machine: CommandMachine) -> None:
    code, err = shell(machine, "{program} info > /dev/full")
    assert code == 17
    assert "standard output" in err


def test_an_encoding_without_our_letters_does_no_harm(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": "version: 1\nsources: [{name: 規則, type: local, path: ./r/}]\n"})
    machine.put("r/a.md", "a\n")
    code, err = shell(machine, "{program} update --yes", PYTHONIOENCODING="ascii")
    assert code == 0, err


@contextmanager
def usual_signals() -> Iterator[None]:
    """Start processes with the usual dispositions: a child inherits what is ignored here, as SIGHUP is under nohup."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_update(machine: CommandMachine) -> subprocess.Popen[str]:
    with usual_signals():
        return subprocess.Popen(
            [*PROGRAM, "update", "--yes"],
            cwd=machine.project,
            env=environment(machine),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_with_130_and_nothing_is_written(
    tmp_path: Path, silent_server: socket.socket, number: signal.Signals
) -> None:
    port = silent_server.getsockname()[1]
    machine = a_machine(tmp_path, {"agent-sync.yaml": SLOW.format(port=port, digest="0" * 64)})
    with start_update(machine) as running:
        connection, _ = silent_server.accept()
        running.send_signal(number)
        connection.close()
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.endswith("interrupted; nothing half-written\n")
    assert "Traceback" not in err
    assert out == ""
    assert not machine.exists("agent-sync.lock")


def test_whoever_insists_does_not_wait_for_the_server(tmp_path: Path, silent_server: socket.socket) -> None:
    port = silent_server.getsockname()[1]
    machine = a_machine(tmp_path, {"agent-sync.yaml": SLOW.format(port=port, digest="0" * 64)})
    with start_update(machine) as running:
        connection, _ = silent_server.accept()
        for _ in range(40):
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(0.25)
                break
            except subprocess.TimeoutExpired:
                continue
        assert running.wait(10) == 130
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
        connection.close()


def test_a_signal_that_the_caller_ignores_stays_ignored(machine: CommandMachine) -> None:
    """As under nohup, and for SIGINT in a script's background job."""
    code, err = shell(machine, "trap '' INT TERM HUP; {program} update --yes & wait $!")
    assert (code, err) == (0, "")
    program = (
        "import signal, sys\n"
        "from agent_sync.cli.program import interruptible\n"
        "from agent_sync.ports import Cancellation\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with interruptible(Cancellation()):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def at_a_terminal(machine: CommandMachine, typed: bytes, *words: str, **variables: str) -> tuple[int, str]:
    """The program at a terminal whose user types this in advance; its exit code and all that the terminal shows."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    with subprocess.Popen(
        [*PROGRAM, *words],
        cwd=machine.project,
        env=environment(machine, TERM="xterm", **variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # so the end of a terminal reads
            pass
        code = running.wait(60)
    os.close(ours)
    return code, shown.decode()


@pytest.mark.parametrize(("typed", "code", "written"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\x04", 1, False)])
def test_the_question_is_asked_at_a_real_terminal(
    machine: CommandMachine, typed: bytes, code: int, *, written: bool
) -> None:
    ended, shown = at_a_terminal(machine, typed, "update")
    assert "Write agent-sync.lock? [y/N] " in shown
    assert ended == code
    assert machine.exists("agent-sync.lock") is written


def test_a_real_terminal_gets_colours_unless_it_is_told_not_to(machine: CommandMachine) -> None:
    assert ESC in at_a_terminal(machine, b"", "nonsense")[1]
    assert ESC not in at_a_terminal(machine, b"", "nonsense", "--no-color")[1]
    assert ESC not in at_a_terminal(machine, b"", "nonsense", NO_COLOR="1")[1]
