"""Confine the child that becomes the command: the steps between fork and execve, in the order that they must have."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from agent_sync.adapters.sandbox import landlock, seccomp
from agent_sync.adapters.sandbox.kernel import call, own_architecture, prctl
from agent_sync.adapters.sandbox.landlock import file_rules
from agent_sync.adapters.sandbox.protocol import Ending, Order
from agent_sync.adapters.sandbox.seccomp import verdicts

MAX_TASKS = 1024  # processes and threads of one command; the supervisor ends it when it has more

_GIB = 1 << 30
_SET_NO_NEW_PRIVS, _SET_PDEATHSIG, _CAPBSET_READ, _CAPBSET_DROP, _CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 38, 1, 23, 24, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522


def set_limits(*, max_file_bytes: int, cpu_s: int) -> None:
    """Limit the resources of this process and its children, each only where it is not lower already.

    Of processes the kernel counts those of the user, wherever they run, and does not count root's: so that bound is
    far above what is there, and the supervisor counts the command's own.
    """
    _lower(resource.RLIMIT_CORE, 1)  # 0 would let a core_pattern that is a pipe start a program of root's; 1 does not
    _lower(resource.RLIMIT_FSIZE, max_file_bytes)
    _lower(resource.RLIMIT_CPU, cpu_s)
    _lower(resource.RLIMIT_NOFILE, 1024)
    _lower(resource.RLIMIT_NPROC, tasks_of_the_machine() + 2 * MAX_TASKS)
    _lower(resource.RLIMIT_DATA, 2 * _GIB)
    _lower(
        resource.RLIMIT_AS, 64 * _GIB
    )  # generous: runtimes reserve far more than they use, RLIMIT_DATA counts the latter
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # when memory runs out, the kernel shall take this process first


def tasks_of_the_machine() -> int:
    """Return how many processes and threads there are, of all users."""
    with open("/proc/loadavg") as load:
        return int(load.read().split()[3].split("/")[1])


def drop_privileges() -> None:
    """Drop every capability, so that execve gains none: not by setuid, file capabilities, or being root."""
    prctl(_SET_NO_NEW_PRIVS, 1)
    prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    with contextlib.suppress(
        OSError
    ):  # past the last capability, or not ours to drop: then execve cannot gain it either
        for capability in range(64):
            if prctl(_CAPBSET_READ, capability):
                prctl(_CAPBSET_DROP, capability)
    call("capset", struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, ends; at once if it has ended already."""
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def default_signals() -> None:
    """Restore the default action of every signal and unblock all; Python had ignored SIGPIPE and SIGXFSZ."""
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # the C library keeps two for itself
            signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _lower(which: int, bound: int) -> None:
    _, hard = resource.getrlimit(which)
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(which, (value, value))


_NEW_USER, _NEW_NETWORK, _NEW_MOUNTS, _NEW_IPC, _NEW_NAMES = 0x10000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000
_BIND, _PRIVATE_AND_BELOW = 0x1000, 0x40000 | 0x4000
_READ_ONLY, _AND_BELOW, _HERE = 1, 0x8000, -100


def enter(*, writable: Sequence[str]) -> None:
    """Enter namespaces of its own, with the same ids, in which only `writable` directories can be written.

    A second wall, where the kernel lets this user build one: Landlock and seccomp hold without it. With it there is no
    network interface to reach, and every mount is read-only but the two directories. A process namespace is not
    needed: Landlock and seccomp keep signals and tracing inside, and the supervisor ends all that is left.

    Raises: OSError; the process may then be half inside and must not be used.
    """
    user, group = os.geteuid(), os.getegid()
    call("unshare", _NEW_USER | _NEW_NETWORK | _NEW_MOUNTS | _NEW_IPC | _NEW_NAMES)
    _write("setgroups", "deny")  # the kernel's price for the next line
    _write("gid_map", f"{group} {group} 1")
    _write("uid_map", f"{user} {user} 1")
    call("mount", None, b"/", None, _PRIVATE_AND_BELOW, None)
    for directory in writable:
        call("mount", os.fsencode(directory), os.fsencode(directory), None, _BIND, None)
    call("mount_setattr", _HERE, b"/", _AND_BELOW, *_attributes(set_flags=_READ_ONLY))
    for directory in writable:
        call("mount_setattr", _HERE, os.fsencode(directory), 0, *_attributes(clear_flags=_READ_ONLY))


def _write(name: str, text: str) -> None:
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


def _attributes(*, set_flags: int = 0, clear_flags: int = 0) -> tuple[bytes, int]:
    """Return `struct mount_attr` and its size."""
    packed = struct.pack("=QQQQ", set_flags, clear_flags, 0, 0)
    return packed, len(packed)


_NAMESPACES, _PROGRAM = "namespaces", "the program"
_LISTENER = b"L"
_LAST_DESCRIPTOR = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Child:
    """The confined command: its process, which leads a group of its own, and where its held-back calls are heard."""

    pid: int
    listener: int


class NotStartedError(Exception):
    """Nothing was run: the sandbox could not be built (UNCONFINED), or the program not be executed (UNSTARTABLE)."""

    def __init__(self, ending: Ending, text: str) -> None:
        self.ending = ending
        self.text = text
        super().__init__(text)


def start(order: Order) -> Child:
    """Start the command, confined; it prints to standard error of this process. Raise NotStartedError."""
    try:
        child = _start(order, apart=True) if order.namespaces else None
        # A child that could enter its namespaces only by half cannot leave them: a new one goes without.
        return child or _start_or_fail(order)
    except OSError as error:
        raise NotStartedError(Ending.UNCONFINED, f"the child: {error.strerror}") from error


def _start_or_fail(order: Order) -> Child:
    child = _start(order, apart=False)
    if child is None:
        raise NotStartedError(Ending.UNCONFINED, "the child ended before it was confined")
    return child


def _start(order: Order, *, apart: bool) -> Child | None:
    """Return the child; None if it could not enter namespaces of its own, or was killed on the way."""
    ours, theirs = socket.socketpair()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, theirs, supervisor=supervisor, apart=apart)
    theirs.close()
    with ours:
        listener, failure = _hear(ours)
    if listener is not None and failure is None:
        return Child(pid, listener)
    if listener is not None:
        os.close(listener)
    os.waitpid(pid, 0)
    if failure is None or failure[0] == _NAMESPACES:
        return None
    step, reason = failure
    if step == _PROGRAM:
        raise NotStartedError(Ending.UNSTARTABLE, reason)
    raise NotStartedError(Ending.UNCONFINED, f"{step}: {reason}")


def _hear(channel: socket.socket) -> tuple[int | None, tuple[str, str] | None]:
    """Return the listener, and which step failed why. The channel ends when execve closes the child's side."""
    said, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if said == _LISTENER:
        said = b""
    while chunk := channel.recv(4096):
        said += chunk
    listener = descriptors[0] if descriptors else None
    if not said:
        return listener, None
    step, reason = json.loads(said)
    return listener, (step, reason)


class _FailedError(Exception):
    """A step failed, for a reason."""


def _become(order: Order, channel: socket.socket, *, supervisor: int, apart: bool) -> NoReturn:
    """Become the command, or report to the supervisor why not, and exit."""
    try:
        _confine(order, channel, supervisor=supervisor, apart=apart)
    except _FailedError as failed:
        channel.sendall(json.dumps(failed.args).encode("ascii"))
    finally:
        os._exit(1)


def _confine(order: Order, channel: socket.socket, *, supervisor: int, apart: bool) -> NoReturn:
    with _step("its process group"):
        os.setsid()
        die_with(supervisor)
    with _step("its descriptors"):
        _keep_only(channel)
    with _step("resource limits"):
        os.umask(0o022)
        set_limits(max_file_bytes=order.max_output_bytes, cpu_s=_cpu_bound_s(order.timeout_s))
    with _step(_NAMESPACES):
        if apart:
            enter(writable=(order.output, order.home))
    with _step("its working directory"):
        os.chdir(order.input)
    with _step("capabilities"):
        drop_privileges()
    with _step("Landlock"):
        version = min(landlock.abi(), landlock.NEWEST_ABI, order.newest_landlock or landlock.NEWEST_ABI)
        landlock.restrict(file_rules(order), version=version)
    with _step("seccomp"):
        listener = _filter_calls(version)
        socket.send_fds(channel, [_LISTENER], [listener])
    with _step(_PROGRAM):
        default_signals()
        os.execve(order.program, order.argv, order.environment)


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f": {error.filename!r}" if error.filename and name != _PROGRAM else ""
        raise _FailedError(name, f"{error.strerror or error}{place}") from error


def _keep_only(channel: socket.socket) -> None:
    """Empty standard input, send output to standard error, and close everything else but `channel`."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    kept = channel.fileno()
    for first, last in ((3, kept - 1), (kept + 1, _LAST_DESCRIPTOR)):
        if first <= last:
            call("close_range", first, last, 0)


def _cpu_bound_s(timeout_s: float) -> int:
    """Return seconds of processor time for one process: a bound that only ends what has outlived its supervisor."""
    return int(timeout_s + 1) * (os.cpu_count() or 1) + 10


def _filter_calls(landlock_version: int) -> int:
    machine = own_architecture()
    if machine is None:
        raise OSError("the numbers of this machine's system calls are not known")
    table = verdicts(
        signals_scoped=landlock_version >= landlock.SCOPES_SIGNALS,
        truncation_seen=landlock_version >= landlock.SEES_TRUNCATION,
    )
    return seccomp.install(seccomp.program(machine, table))
