"""Run one custom command: one supervisor process, one private home that is removed."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent_sync.adapters.sandbox.kernel import own_architecture
from agent_sync.adapters.sandbox.protocol import Ending, Order, Report
from agent_sync.adapters.sandbox.untrusted_files import discard, empty
from agent_sync.errors import FileSystemError, LimitExceeded, TransformFailed, UnsafePath
from agent_sync.ports import Cancellation, Command, Finished
from agent_sync_oci.text import quoted

MAX_PRINTED_BYTES = 1 << 16

_PACKAGES = str(Path(__file__).parents[3])
_BOOT = "import sys; sys.path.append(sys.argv[1]); from agent_sync.adapters.sandbox.supervisor import main; main()"
_POLL_S = 0.05
_GRACE_S = 10.0  # for ending processes; longer than that takes only one that hangs in the kernel


def supervise(order: Order, *, cancellation: Cancellation) -> tuple[Report, bytes]:
    """Return how the command ended, and the tail of what it printed, with none of it left. Raise Cancelled, OSError.

    A fresh process, and not a fork of this one, which may have threads: nothing of its memory or descriptors is in
    the sandbox.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BOOT, _PACKAGES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(order.environment),
        cwd="/",
        start_new_session=True,  # a Ctrl-C at the terminal is for us alone; we then end it in order
    )
    with process:
        session = _Supervision(process)
        try:
            session.tell(order)
            session.listen(limit_s=order.timeout_s + _GRACE_S, cancellation=cancellation)
        finally:
            session.end()
        return session.report(), bytes(session.printed)


class _Supervision:
    """`said` is what the supervisor has reported, `printed` the tail of what the command has printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._orders = process.stdin
        self._reports = process.stdout.fileno()
        self._prints = process.stderr.fileno()
        self._poll = select.poll()
        self._poll.register(self._reports, select.POLLIN)
        self._poll.register(self._prints, select.POLLIN)
        self._open = {self._reports, self._prints}
        self.said = b""
        self.printed = bytearray()

    def tell(self, order: Order) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died, and will be found not to have reported
            self._orders.write(order.line())
            self._orders.flush()

    def listen(self, *, limit_s: float, cancellation: Cancellation) -> None:
        """Read until the supervisor has sent its report, or should have."""
        until = time.monotonic() + limit_s
        while self._reports in self._open and time.monotonic() < until:
            cancellation.check()
            self._hear()

    def end(self) -> None:
        """End the supervisor, and with it the command: by closing its input, or by force."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        until = time.monotonic() + _GRACE_S
        while self._open and time.monotonic() < until:
            self._hear()
            if self._reports not in self._open and self.said.strip().isdigit():
                _end_group(int(self.said))  # it was killed, and could not
        self._process.kill()
        self._process.wait()

    def report(self) -> Report:
        last = self.said.splitlines()[-1:]
        if last and not last[0].isdigit():
            return Report.from_line(last[0])
        why = b"".join(self.printed.splitlines()[-1:]).decode("utf-8", "replace")
        return Report(
            Ending.UNCONFINED, f"the process that supervises it ended with {self._process.returncode}: {quoted(why)}"
        )

    def _hear(self) -> None:
        for descriptor, _ in self._poll.poll(_POLL_S * 1000):
            chunk = os.read(descriptor, MAX_PRINTED_BYTES)
            if not chunk:
                self._poll.unregister(descriptor)
                self._open.remove(descriptor)
            elif descriptor == self._reports:
                self.said += chunk
            else:
                self.printed += chunk
                del self.printed[:-MAX_PRINTED_BYTES]


def _end_group(group: int) -> None:
    """Kill every process of the group, if any is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


_PROGRAM_DIRECTORIES = ("/usr/bin", "/bin")
_WITHOUT_SANDBOX = (
    "nothing was run; custom commands need Linux 5.13 or later with Landlock and seccomp, on x86-64 or aarch64: "
    "elsewhere remove the transform, or use a lock that was made there (`agent-sync sync --frozen`); "
    "`security: {custom_transforms: off}` refuses all of its kind"
)
_NOT_EXECUTABLE = (
    "the file must be there and executable (chmod +x); a script must begin with #! and a program below /usr or /bin"
)


class SandboxRunner:
    """Runs each command in a sandbox of its own. May be used from several threads at once.

    `namespaces` and `newest_landlock` say which walls to use at most, as on a machine or kernel that has no more; the
    two that are required are always used. The directory that holds a command's output must be private to this user: the
    temporary home is made beside it.
    """

    def __init__(self, *, namespaces: bool = True, newest_landlock: int | None = None) -> None:
        self._namespaces = namespaces
        self._newest_landlock = newest_landlock

    def run(self, command: Command, *, cancellation: Cancellation) -> Finished:
        """Run the command until no process of it is left. Its output holds files and directories, within the
        limits.

        When it raises, the output is empty. Raises TransformFailed (no sandbox, or no such program: nothing was run),
        UnsafePath, LimitExceeded, FileSystemError (of the scratch directory), Cancelled.
        """
        subject = f"custom command {quoted(shlex.join(command.argv))}"
        _demand_a_known_machine(subject)
        program = _program(command, subject)
        try:
            with contextlib.ExitStack() as unless_done:
                unless_done.callback(empty, os.path.realpath(command.output))
                with _private_home(command) as home:
                    order = self._order(command, program=program, home=home)
                    report, printed = supervise(order, cancellation=cancellation)
                _demand_an_exit(report, subject)
                unless_done.pop_all()
        except OSError as error:
            remedy = "check free space and permissions"
            raise FileSystemError(subject=subject, check=str(error), remedy=remedy) from error
        return Finished(report.number, printed.decode("utf-8", "backslashreplace"))

    def _order(self, command: Command, *, program: str, home: str) -> Order:
        given, output = os.path.realpath(command.input), os.path.realpath(command.output)
        return Order(
            program=program,
            argv=(program if "/" in command.argv[0] else command.argv[0], *command.argv[1:]),
            environment={
                "PATH": ":".join(_PROGRAM_DIRECTORIES),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                "SOURCE_DATE_EPOCH": "1",
                "HOME": home,
                "TMPDIR": home,  # sort, mktemp, a shell's here-documents: /tmp is closed to them
                "AGENT_SYNC_INPUT": given,
                "AGENT_SYNC_OUTPUT": output,
            },
            program_directory=os.path.realpath(command.program_directory),
            input=given,
            output=output,
            home=home,
            timeout_s=command.timeout_s,
            max_output_bytes=command.max_output_bytes,
            max_files=command.max_files,
            newest_landlock=self._newest_landlock,
            namespaces=self._namespaces,
        )


@contextlib.contextmanager
def _private_home(command: Command) -> Iterator[str]:
    """Make a directory beside the output; remove it afterwards with all that the command has put there."""
    home = tempfile.mkdtemp(prefix="home-", dir=os.path.dirname(os.path.realpath(command.output)))
    try:
        yield home
    finally:
        discard(home)


def _demand_a_known_machine(subject: str) -> None:
    if sys.platform != "linux":
        raise _no_sandbox(subject, f"no sandbox exists for {sys.platform}")
    if own_architecture() is None:
        raise _no_sandbox(subject, f"no sandbox exists for this machine ({os.uname().machine})")
    if not sys.executable:
        raise _no_sandbox(subject, "no Python interpreter can supervise the sandbox")


def _program(command: Command, subject: str) -> str:
    """Return the absolute path of the program: in the copies of the project's files, or one of the system's."""
    first = command.argv[0] if command.argv else ""
    if not first or any("\0" in word for word in command.argv):
        raise TransformFailed(
            subject=subject, check="is not a command", remedy="name a program, and no NUL in any word"
        )
    if "/" in first:
        return _own_program(first, command.program_directory, subject)
    for directory in _PROGRAM_DIRECTORIES:
        if os.access(f"{directory}/{first}", os.X_OK):
            return f"{directory}/{first}"
    raise TransformFailed(
        subject=subject,
        check=f"program {quoted(first)} not found in {' or '.join(_PROGRAM_DIRECTORIES)}",
        remedy=f"install it there, or name a file of the project: ./{first}",
    )


def _own_program(first: str, directory: str, subject: str) -> str:
    root = os.path.realpath(directory)
    path = os.path.realpath(os.path.join(root, first))
    if not path.startswith(f"{root}/"):
        raise UnsafePath(
            subject=subject,
            check=f"{quoted(first)} is not inside the project",
            remedy="name a file inside the project, or a program of the system by its name alone",
        )
    return path


def _demand_an_exit(report: Report, subject: str) -> None:
    match report.ending:
        case Ending.EXITED:
            return
        case Ending.EXCEEDED:
            remedy = "make the command do with less, or allow more time, bytes or files under `limits:`"
            raise LimitExceeded(subject=subject, check=report.text, remedy=remedy)
        case Ending.UNSTARTABLE:
            raise TransformFailed(subject=subject, check=f"cannot be executed: {report.text}", remedy=_NOT_EXECUTABLE)
        case Ending.UNCONFINED | Ending.STOPPED:
            raise _no_sandbox(subject, f"the sandbox cannot be set up here: {report.text or 'stopped'}")


def _no_sandbox(subject: str, check: str) -> TransformFailed:
    return TransformFailed(subject=subject, check=check, remedy=_WITHOUT_SANDBOX)
