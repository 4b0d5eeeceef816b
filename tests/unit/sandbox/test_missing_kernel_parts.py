"""Without Landlock or without seccomp nothing is run; where only namespaces are missing, they are left out."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from agent_sync.adapters.sandbox.kernel import own_architecture
from tests.builders.commands import ALL_WALLS, Bench, Outcome, a_bench_for

_TRACE = 'echo ran > "$AGENT_SYNC_OUTPUT/trace"'


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from a_bench_for(ALL_WALLS[0], None)


def on_a_kernel_without(bench: Bench, call: str, *, error: int) -> Outcome:
    machine = own_architecture()
    assert machine is not None
    unshare = {"x86_64": 272, "aarch64": 97}[machine.machine]
    bench.without = [(unshare if call == "unshare" else machine.numbers[call], error)]
    return bench.run("sh", "-c", _TRACE)


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        ("landlock_create_ruleset", errno.ENOSYS, "Landlock: Function not implemented"),  # not built in
        ("landlock_create_ruleset", errno.EOPNOTSUPP, "Landlock: Operation not supported"),  # switched off at boot
        ("landlock_restrict_self", errno.EPERM, "Landlock: Operation not permitted"),  # a container's filter
        ("landlock_restrict_self", errno.E2BIG, "Landlock: Argument list too long"),  # sixteen layers deep already
        ("seccomp", errno.ENOSYS, "seccomp: Function not implemented"),
        ("seccomp", errno.EBUSY, "seccomp: Device or resource busy"),  # an outer sandbox listens already
        ("capset", errno.EPERM, "capabilities: Operation not permitted"),
        ("close_range", errno.ENOSYS, "its descriptors: Function not implemented"),
    ],
)
def test_without_it_nothing_is_run_and_the_error_says_what_is_missing(
    bench: Bench, call: str, error: int, named: str
) -> None:
    outcome = on_a_kernel_without(bench, call, error=error)
    assert outcome.error == "TransformFailed"
    assert outcome.check == f"the sandbox cannot be set up here: {named}"
    assert "custom_transforms: off" in outcome.remedy
    assert list(bench.output.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("unshare", errno.EPERM),  # Docker, or unprivileged user namespaces switched off
        ("unshare", errno.ENOSPC),  # user.max_user_namespaces
        ("mount", errno.EACCES),  # AppArmor lets the namespace be made, but nothing be done in it
        ("mount_setattr", errno.ENOSYS),  # half-way, with a mount already made
    ],
)
def test_without_namespaces_the_command_runs_behind_the_two_other_walls(bench: Bench, call: str, error: int) -> None:
    outcome = on_a_kernel_without(bench, call, error=error)
    assert outcome.exit_code == 0
    assert (bench.output / "trace").read_text() == "ran\n"
    bench_says = bench.run("sh", "-c", "readlink /proc/self/ns/user; cat /etc/hostname")
    assert bench_says.printed.splitlines()[0] == os.readlink("/proc/self/ns/user")
    assert "Permission denied" in bench_says.printed  # and not "Read-only file system"
