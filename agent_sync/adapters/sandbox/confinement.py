"""The child that becomes the command: what stands between fork and execve, in the order that it must have."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from agent_sync.adapters.sandbox import landlock, namespaces, privileges, seccomp
from agent_sync.adapters.sandbox.kernel import call
from agent_sync.adapters.sandbox.order import Ending, Order
from agent_sync.adapters.sandbox.policy import verdicts
from agent_sync.adapters.sandbox.reach import reachable
from agent_sync.adapters.sandbox.syscalls import own_architecture

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
    """The command is running, confined. Standard error of this process is where it prints. Raises NotStartedError."""
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
    """The child; None if it could not enter namespaces of its own, or was killed on the way."""
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
    """The listener, and which step failed why. The channel ends when execve closes the child's side of it."""
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
    """This process is the command, or has told its supervisor why not and is gone."""
    try:
        _confine(order, channel, supervisor=supervisor, apart=apart)
    except _FailedError as failed:
        channel.sendall(json.dumps(failed.args).encode("ascii"))
    finally:
        os._exit(1)


def _confine(order: Order, channel: socket.socket, *, supervisor: int, apart: bool) -> NoReturn:
    with _step("its process group"):
        os.setsid()
        privileges.die_with(supervisor)
    with _step("its descriptors"):
        _keep_only(channel)
    with _step("resource limits"):
        os.umask(0o022)
        privileges.set_limits(max_file_bytes=order.max_output_bytes, cpu_s=_cpu_bound_s(order.timeout_s))
    with _step(_NAMESPACES):
        if apart:
            namespaces.enter(writable=(order.output, order.home))
    with _step("its working folder"):
        os.chdir(order.input)
    with _step("capabilities"):
        privileges.drop_privileges()
    with _step("Landlock"):
        version = min(landlock.abi(), landlock.NEWEST_ABI, order.newest_landlock or landlock.NEWEST_ABI)
        landlock.restrict(reachable(order), version=version)
    with _step("seccomp"):
        listener = _filter_calls(version)
        socket.send_fds(channel, [_LISTENER], [listener])
    with _step(_PROGRAM):
        privileges.default_signals()
        os.execve(order.program, order.words, order.environment)


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f": {error.filename!r}" if error.filename and name != _PROGRAM else ""
        raise _FailedError(name, f"{error.strerror or error}{place}") from error


def _keep_only(channel: socket.socket) -> None:
    """Standard input is empty, output and errors go where our errors went, nothing else but `channel` is open."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    kept = channel.fileno()
    for first, last in ((3, kept - 1), (kept + 1, _LAST_DESCRIPTOR)):
        if first <= last:
            call("close_range", first, last, 0)


def _cpu_bound_s(timeout_s: float) -> int:
    """Seconds of processor time for one process: it only ends what has outlived its supervisor."""
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
