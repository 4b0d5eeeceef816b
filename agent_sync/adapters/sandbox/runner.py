"""`Runner` for real: one command, one supervisor process, one private home that is thrown away."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator

from agent_sync.adapters.sandbox.order import Ending, Order, Report
from agent_sync.adapters.sandbox.removal import discard, empty
from agent_sync.adapters.sandbox.session import supervised
from agent_sync.adapters.sandbox.syscalls import own_architecture
from agent_sync.errors import FileFault, LimitExceeded, TransformFailed, UnsafePath
from agent_sync.escaping import shown
from agent_sync.ports import Cancellation, Command, Finished

_PROGRAM_FOLDERS = ("/usr/bin", "/bin")
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
    two that must stand always do. The folder that holds a command's output must be private to this user: the
    temporary home is made beside it.
    """

    def __init__(self, *, namespaces: bool = True, newest_landlock: int | None = None) -> None:
        self._namespaces = namespaces
        self._newest_landlock = newest_landlock

    def run(self, command: Command, *, cancellation: Cancellation) -> Finished:
        """The command has ended and no process of it is left. Its output holds files and folders, within the limits.

        When it raises, the output is empty. Raises TransformFailed (no sandbox, or no such program: nothing was run),
        UnsafePath, LimitExceeded, FileFault (of the scratch folder), Cancelled.
        """
        subject = f"custom command {shown(shlex.join(command.words))}"
        _demand_a_known_machine(subject)
        program = _program(command, subject)
        try:
            with contextlib.ExitStack() as unless_done:
                unless_done.callback(empty, os.path.realpath(command.output))
                with _private_home(command) as home:
                    order = self._order(command, program=program, home=home)
                    report, printed = supervised(order, cancellation=cancellation)
                _demand_an_exit(report, subject)
                unless_done.pop_all()
        except OSError as error:
            remedy = "look at the space and the permissions there"
            raise FileFault(subject=subject, check=str(error), remedy=remedy) from error
        return Finished(report.number, printed.decode("utf-8", "backslashreplace"))

    def _order(self, command: Command, *, program: str, home: str) -> Order:
        given, output = os.path.realpath(command.input), os.path.realpath(command.output)
        return Order(
            program=program,
            words=(program if "/" in command.words[0] else command.words[0], *command.words[1:]),
            environment={
                "PATH": ":".join(_PROGRAM_FOLDERS),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                "SOURCE_DATE_EPOCH": "1",
                "HOME": home,
                "TMPDIR": home,  # sort, mktemp, a shell's here-documents: /tmp is closed to them
                "AGENT_SYNC_INPUT": given,
                "AGENT_SYNC_OUTPUT": output,
            },
            program_folder=os.path.realpath(command.program_folder),
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
    """A new folder beside the output, gone afterwards with all that the command has put there."""
    home = tempfile.mkdtemp(prefix="home-", dir=os.path.dirname(os.path.realpath(command.output)))
    try:
        yield home
    finally:
        discard(home)


def _demand_a_known_machine(subject: str) -> None:
    if sys.platform != "linux":
        raise _no_sandbox(subject, f"there is no sandbox on {sys.platform}")
    if own_architecture() is None:
        raise _no_sandbox(subject, f"there is no sandbox for this machine ({os.uname().machine})")
    if not sys.executable:
        raise _no_sandbox(subject, "there is no Python interpreter to supervise the sandbox")


def _program(command: Command, subject: str) -> str:
    """The absolute path of the program: in the copies of the project's files, or one of the system's."""
    first = command.words[0] if command.words else ""
    if not first or any("\0" in word for word in command.words):
        raise TransformFailed(
            subject=subject, check="is not a command", remedy="name a program, and no NUL in any word"
        )
    if "/" in first:
        return _own_program(first, command.program_folder, subject)
    for folder in _PROGRAM_FOLDERS:
        if os.access(f"{folder}/{first}", os.X_OK):
            return f"{folder}/{first}"
    raise TransformFailed(
        subject=subject,
        check=f"there is no program {shown(first)} in {' or '.join(_PROGRAM_FOLDERS)}",
        remedy=f"install it there, or name a file of the project: ./{first}",
    )


def _own_program(first: str, folder: str, subject: str) -> str:
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, first))
    if not path.startswith(f"{root}/"):
        raise UnsafePath(
            subject=subject,
            check=f"{shown(first)} is not inside the project",
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
            raise _no_sandbox(subject, f"its sandbox cannot be built here: {report.text or 'it was stopped'}")


def _no_sandbox(subject: str, check: str) -> TransformFailed:
    return TransformFailed(subject=subject, check=check, remedy=_WITHOUT_SANDBOX)
