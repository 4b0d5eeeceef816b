"""The table of numbers against the kernel's own headers, where they are installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_sync.adapters.sandbox.kernel import architecture

_HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}
_YOUNGER_THAN_SOME_HEADERS = {"fchmodat2": 452}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_number_is_the_kernels(machine: str) -> None:
    found = [Path(path) for path in _HEADERS[machine] if Path(path).exists()]
    if not found:
        pytest.skip("the kernel's headers are not installed")
    text = found[0].read_text()
    theirs = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    theirs = _YOUNGER_THAN_SOME_HEADERS | theirs
    if machine == "aarch64":
        theirs["newfstatat"] = theirs["fstatat"]  # named so for 64-bit machines
    known = architecture(machine)
    assert known is not None
    assert len(known.numbers) > 200
    assert {name: theirs.get(name) for name in known.numbers} == dict(known.numbers)


def test_an_old_call_that_aarch64_never_had_is_not_given_a_number_there() -> None:
    known = architecture("aarch64")
    assert known is not None
    assert {"open", "fork", "chmod", "rename"}.isdisjoint(known.numbers)


def test_other_machines_are_not_known() -> None:
    assert [architecture(name) for name in ("riscv64", "armv7l", "i686", "s390x", "ppc64le")] == [None] * 5
