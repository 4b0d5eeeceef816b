"""Run another program within bounds of time and size, and end it with everything that it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

from agent_sync.adapters.descriptors import translated
from agent_sync.errors import FileSystemError, LimitExceeded
from agent_sync.limits import LimitKey, limit_exceeded

_CHUNK_BYTES = 1 << 16
_STDERR_BYTES = 8192
_POLL_S = 0.2
_BLOCK_BYTES = 512  # what POSIX counts in for `ulimit -f`
_SMALLEST_FILE_BYTES = 1 << 20  # a program may always keep a log, or ssh its known_hosts

# A shell sets the bound and becomes the program. Python could between fork and exec, which is not safe with threads.
_BOUND = 'ulimit -c 0; ulimit -f "$0" 2>/dev/null; exec "$@"'


class Completed(NamedTuple):
    """How a program ended: exit status (negative: the signal), standard output, the end of its standard error."""

    exit_code: int
    output: bytes
    stderr: str


class Bounds(NamedTuple):
    """How long a program may take, and how much it may write and print; `subject` names what it works for.

    `setting` is the key under `limits:` that `timeout_s` comes from, None if it is fixed. `poll` is called several
    times a second; what it raises ends the program.
    """

    subject: str
    timeout_s: float
    max_file_bytes: int | None = None
    max_output_bytes: int = 1 << 26
    setting: LimitKey | None = None
    poll: Callable[[], object] = lambda: None


def run(
    argv: Sequence[str], bounds: Bounds, *, environment: Mapping[str, str], directory: str, stdin: bytes = b""
) -> Completed:
    """Run the program in `directory` until it has ended.

    It has a session of its own, so it can ask nobody on the terminal. No file that it writes grows past
    `max_file_bytes`: it is killed when it tries.

    Raises:
        LimitExceeded: it took longer or printed more than it may; it and all of its children were killed.
        AgentSyncError: the same, by whatever `poll` raised.
        FileSystemError: it cannot be started, or what it says cannot be kept in `directory`.
    """
    deadline = time.monotonic() + bounds.timeout_s
    # Files, not pipes: a master connection that ssh leaves behind keeps them open, and we would wait for its end.
    with (
        translated("use", directory),
        tempfile.TemporaryFile(dir=directory) as given,
        tempfile.TemporaryFile(dir=directory) as errors,
    ):
        given.write(stdin)
        given.seek(0)
        process = _start(_bounded(argv, bounds), environment, directory, given, errors)
        try:
            output = _read(process, deadline, bounds)
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise _too_slow(bounds) from error
        finally:
            _terminate(process)
        return Completed(process.returncode, output, _tail(errors))


def _bounded(argv: Sequence[str], bounds: Bounds) -> Sequence[str]:
    if bounds.max_file_bytes is None:
        return argv
    blocks = max(bounds.max_file_bytes, _SMALLEST_FILE_BYTES) // _BLOCK_BYTES
    return ("/bin/sh", "-c", _BOUND, str(blocks), *argv)


def _start(
    argv: Sequence[str], environment: Mapping[str, str], directory: str, stdin: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        check = f"cannot be started: {error.strerror}"
        raise FileSystemError(
            subject=f"program {argv[0]}", check=check, remedy="check that the program is installed and executable"
        ) from error


def _read(process: subprocess.Popen[bytes], deadline: float, bounds: Bounds) -> bytes:
    """Return all that the program prints, until it closes its standard output."""
    assert process.stdout is not None
    read = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            bounds.poll()
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise _too_slow(bounds)
            if not selector.select(min(remaining_s, _POLL_S)):
                continue
            chunk = os.read(process.stdout.fileno(), _CHUNK_BYTES)
            if not chunk:
                return bytes(read)
            read += chunk
            if len(read) > bounds.max_output_bytes:
                check = f"the answer has more than {bounds.max_output_bytes} bytes"
                raise LimitExceeded(
                    subject=bounds.subject, check=check, remedy="report this to the owner of the repository"
                )


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its children, if it has not ended by itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # still its own: it has not been waited for
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _tail(stderr: IO[bytes]) -> str:
    length = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, length - _STDERR_BYTES))
    return stderr.read(_STDERR_BYTES).decode("utf-8", "backslashreplace")


def _too_slow(bounds: Bounds) -> LimitExceeded:
    check = f"took longer than {bounds.timeout_s:.3g} s"
    if bounds.setting is None:
        return LimitExceeded(subject=bounds.subject, check=check, remedy="try again")
    return limit_exceeded(bounds.setting, subject=bounds.subject, check=check, otherwise="try again")
