"""What a process may use up, and what it may do beyond its user: both only ever become less."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct

from agent_sync.adapters.sandbox.kernel import call, prctl

MAX_TASKS = 1024  # processes and threads of one command; the supervisor ends it when it has more

_GIB = 1 << 30
_SET_NO_NEW_PRIVS, _SET_PDEATHSIG, _CAPBSET_READ, _CAPBSET_DROP, _CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 38, 1, 23, 24, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522


def set_limits(*, max_file_bytes: int, cpu_s: int) -> None:
    """Resource limits of this process and its children, each only where it is not lower already.

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
    """How many processes and threads there are, whoever's."""
    with open("/proc/loadavg") as load:
        return int(load.read().split()[3].split("/")[1])


def drop_privileges() -> None:
    """No capability is left, and execve gains none: not by setuid, not by file capabilities, not by being root."""
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
    """This process is killed when `parent`, which started it, ends; at once if it has ended already."""
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def default_signals() -> None:
    """Signals do what they do by default and none is blocked; Python had ignored SIGPIPE and SIGXFSZ."""
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # the C library keeps two for itself
            signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _lower(which: int, bound: int) -> None:
    _, hard = resource.getrlimit(which)
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(which, (value, value))
