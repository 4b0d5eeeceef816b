"""The filter itself, run by a small interpreter of classic BPF: both architectures are tested on each of them."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

import pytest

from agent_sync.adapters.sandbox.kernel import Architecture, architecture
from agent_sync.adapters.sandbox.seccomp import (
    ALLOW,
    ASK,
    FAIL,
    KILL,
    METADATA,
    SIGNALS,
    Instruction,
    Verdict,
    program,
    verdicts,
)

_EPERM, _ENOSYS = FAIL | errno.EPERM, FAIL | errno.ENOSYS
_X32_BIT = 0x40000000
_I386, _ARM = 0x40000003, 0x40000028

NEW, OLD = verdicts(signals_scoped=True, truncation_seen=True), verdicts(signals_scoped=False, truncation_seen=False)


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> Architecture:
    found = architecture(request.param)
    assert found is not None
    return found


def run_filter(instructions: Sequence[Instruction], number: int, arguments: Sequence[int], audit: int) -> int:
    """What the kernel would do with this call."""
    padded = [each & 0xFFFFFFFFFFFFFFFF for each in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *padded)
    at = accumulator = 0
    while True:
        code, if_true, if_false, constant = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                at += if_true if accumulator == constant else if_false
            case 0x06:
                return constant
            case _:
                raise AssertionError(code)


def fate(machine: Architecture, name: str, *arguments: int, table: dict[str, Verdict] | None = None) -> int:
    """What happens to the call of that name."""
    instructions = program(machine, NEW if table is None else table)
    return run_filter(instructions, machine.numbers[name], arguments, machine.audit)


def test_every_name_of_the_policy_has_a_number_and_the_fate_that_the_policy_says(machine: Architecture) -> None:
    known_to_any = {name for each in ("x86_64", "aarch64") for name in _numbers(each)}
    assert NEW.keys() | OLD.keys() <= known_to_any
    assert fate(machine, "read") == ALLOW
    assert fate(machine, "socket", 2, 1, 0) == _EPERM
    assert fate(machine, "fgetxattr") == FAIL | errno.EOPNOTSUPP
    assert all(fate(machine, name) == ASK for name in METADATA if name in machine.numbers)


def _numbers(name: str) -> set[str]:
    found = architecture(name)
    assert found is not None
    return set(found.numbers)


def test_a_number_that_nobody_argued_for_does_not_exist(machine: Architecture) -> None:
    instructions = program(machine, NEW)
    named = {machine.numbers[name] for name in NEW if name in machine.numbers}
    for number in (*range(1024), -1, 0x7FFFFFFF):
        answer = run_filter(instructions, number, (), machine.audit)
        assert (answer == _ENOSYS) == (number not in named), number


def test_the_calls_of_another_convention_end_the_process_or_do_not_exist() -> None:
    x86_64, aarch64 = architecture("x86_64"), architecture("aarch64")
    assert x86_64 is not None
    assert aarch64 is not None
    for machine, foreign in ((x86_64, _I386), (x86_64, aarch64.audit), (aarch64, _ARM), (aarch64, x86_64.audit)):
        for number in range(500):
            assert run_filter(program(machine, NEW), number, (), foreign) == KILL
    for number in range(600):
        assert run_filter(program(x86_64, NEW), _X32_BIT | number, (), x86_64.audit) == _ENOSYS


def test_the_filter_is_short_enough_for_the_kernel(machine: Architecture) -> None:
    assert len(program(machine, OLD)) < 4096


def test_no_jump_leaves_the_filter_or_falls_out_of_it(machine: Architecture) -> None:
    for table in (NEW, OLD):
        instructions = program(machine, table)
        for place, (code, if_true, if_false, _) in enumerate(instructions):
            assert 0 <= if_true < 256
            assert 0 <= if_false < 256
            assert code == 0x06 or place + 1 + max(if_true, if_false) < len(instructions)


@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("socketpair", (1, 1, 0), True),
        ("socketpair", (1, 1 | 0o2000000 | 0o4000, 0), True),  # close-on-exec, non-blocking
        ("socketpair", (1, 2, 0), False),
        ("socketpair", (1, 5, 0), False),
        ("socketpair", (2, 1, 0), False),
        ("socketpair", (1 << 32 | 2, 1, 0), False),
        ("openat", (-100, 0, 0), True),
        ("openat", (-100, 0, 0o1 | 0o100 | 0o1000), True),
        ("openat", (-100, 0, 0o2 | 0o1000), True),
        ("openat", (-100, 0, 0o1000), False),
        ("openat", (-100, 0, 3), False),
        ("openat", (-100, 0, 3 | 0o1000), False),
        ("openat", (-100, 0, 0o10000000 | 0o1000), False),
        ("clone", (17,), True),
        ("clone", (0x3D0F00,), True),  # a thread
        ("clone", (0x10000000 | 17,), False),
        ("clone", (0x40000000,), False),
        ("clone", (0x02000000,), False),
        ("prlimit64", (0, 7), True),
        ("prlimit64", (1234, 7), False),
    ],
)
def test_arguments_decide_where_they_matter(
    machine: Architecture, name: str, arguments: tuple[int, ...], allowed: bool
) -> None:
    assert fate(machine, name, *arguments) == (ALLOW if allowed else _EPERM)


@pytest.mark.parametrize(
    ("name", "command", "answer"),
    [
        ("ioctl", 0x5401, ALLOW),
        ("ioctl", 0x5412, FAIL | errno.ENOTTY),  # TIOCSTI types into a terminal
        ("ioctl", 0x40086602, FAIL | errno.ENOTTY),  # FS_IOC_SETFLAGS
        ("ioctl", 1 << 32 | 0x5412, FAIL | errno.ENOTTY),
        ("fcntl", 1030, ALLOW),
        ("fcntl", 8, FAIL | errno.EINVAL),  # F_SETOWN
        ("fcntl", 10, FAIL | errno.EINVAL),  # F_SETSIG
        ("fcntl", 15, FAIL | errno.EINVAL),  # F_SETOWN_EX
        ("fcntl", 1024, FAIL | errno.EINVAL),  # F_SETLEASE
    ],
)
def test_commands_on_open_files_are_those_on_the_list(
    machine: Architecture, name: str, command: int, answer: int
) -> None:
    assert fate(machine, name, 3, command) == answer


@pytest.mark.parametrize("option", [4, 22, 24, 36, 38, 0x59616D61])
def test_prctl_changes_nothing_about_the_confinement(machine: Architecture, option: int) -> None:
    """PR_SET_DUMPABLE, SECCOMP, CAPBSET_DROP, CHILD_SUBREAPER, NO_NEW_PRIVS, PTRACER."""
    assert fate(machine, "prctl", option) == FAIL | errno.EINVAL
    assert fate(machine, "prctl", 15) == ALLOW


def test_what_an_old_landlock_does_not_see_is_asked_for_or_refused(machine: Architecture) -> None:
    assert [fate(machine, name, 1, 9) for name in SIGNALS] == [ALLOW] * len(SIGNALS)
    assert [fate(machine, name, 1, 9, table=dict(OLD)) for name in SIGNALS] == [ASK] * len(SIGNALS)
    assert fate(machine, "truncate") == ALLOW
    assert fate(machine, "truncate", table=dict(OLD)) == _EPERM
