"""The policy as a seccomp filter (seccomp(2)): classic BPF over one `struct seccomp_data`, made for one architecture.

A call in a foreign calling convention (32-bit on a 64-bit kernel) ends the process. x32 calls need no rule of their
own: they come with AUDIT_ARCH_X86_64 and bit 30 set, which equals no number in the table, so they do not exist.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping

from agent_sync.adapters.sandbox.kernel import call
from agent_sync.adapters.sandbox.policy import Allowed, Check, Refused, Supervised, Verdict
from agent_sync.adapters.sandbox.syscalls import Architecture

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant

_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

ALLOW, ASK, KILL, FAIL = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000

_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3


def program(machine: Architecture, verdicts: Mapping[str, Verdict]) -> tuple[Instruction, ...]:
    """The filter: one test per system call, in the order of their numbers; what passes none of them gets ENOSYS."""
    instructions: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    here = {machine.numbers[name]: verdict for name, verdict in verdicts.items() if name in machine.numbers}
    for number in sorted(here):
        body = _body(here[number])
        instructions += [(_EQUAL, 0, len(body), number), *body]
    return (*instructions, (_RETURN, 0, 0, FAIL | errno.ENOSYS))


def install(instructions: tuple[Instruction, ...]) -> int:
    """The filter holds for ever; the descriptor (close-on-exec) on which the supervised calls are heard.

    Raises OSError: no seccomp filters or no listeners here, or `no_new_privs` is not set.
    """
    code = b"".join(struct.pack("=HBBI", *each) for each in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(instructions), ctypes.addressof(buffer))  # struct sock_fprog
    return call("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, header)


def _body(verdict: Verdict) -> list[Instruction]:
    match verdict:
        case Refused():
            return [(_RETURN, 0, 0, FAIL | verdict.error)]
        case Supervised():
            return [(_RETURN, 0, 0, ASK)]
        case Allowed():
            checks = [each for check in verdict.checks for each in _check(check, verdict.error)]
            return [*checks, (_RETURN, 0, 0, ALLOW)]


def _check(check: Check, error: int) -> list[Instruction]:
    """Falls through if the argument is one of the values, else fails. Both architectures are little-endian."""
    last = len(check.values) - 1
    tests = [(_EQUAL, last - place + 1, 0, value) for place, value in enumerate(check.values)]
    return [
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * check.index),
        (_AND, 0, 0, check.mask),
        *tests,
        (_RETURN, 0, 0, FAIL | error),
    ]
