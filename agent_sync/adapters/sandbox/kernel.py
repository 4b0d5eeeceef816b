"""System calls that Python does not offer, each raising OSError when the kernel says no."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from agent_sync.adapters.sandbox.syscalls import own_architecture

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None


def call(name: str, *arguments: Argument) -> int:
    """What the system call `name` returns. Raises OSError with its errno; ENOSYS where there is no such call."""
    machine = own_architecture()
    number = -1 if machine is None else machine.numbers.get(name, -1)
    return _library("syscall", number, *arguments)


def prctl(option: int, argument: int) -> int:
    """What prctl(2) returns; the arguments that are left are 0, as the kernel demands of most options."""
    return _library("prctl", option, argument, 0, 0, 0)


def set_times(path: str, times: bytes | None) -> None:
    """The file has these times: two `struct timespec`, which may be UTIME_NOW or UTIME_OMIT; None for now."""
    _library("utimensat", -100, os.fsencode(path), times, 0)


def _library(function: str, *arguments: Argument) -> int:
    if _libc is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    ctypes.set_errno(0)
    result = int(getattr(_libc, function)(*wide))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
