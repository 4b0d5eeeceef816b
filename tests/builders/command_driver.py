"""Runs one sandboxed command for a test that needs another process: another user, or a kernel that lacks something.

One JSON object comes in on standard input, one goes out. A program and not a module: `python -I command_driver.py`.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys


def without(number: int, *, error: int) -> None:
    """From here on, this process and its children find that the system call `number` fails with `error`."""
    instructions = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7FFF0000))
    code = b"".join(struct.pack("=HBBI", *each) for each in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None, use_errno=True)
    set_no_new_privs, set_seccomp, filter_mode = 38, 22, 2
    assert libc.prctl(set_no_new_privs, 1, 0, 0, 0) == 0
    assert (
        libc.prctl(set_seccomp, filter_mode, struct.pack("@HP", len(instructions), ctypes.addressof(buffer)), 0, 0) == 0
    )


def main() -> None:
    order = json.load(sys.stdin)
    sys.path[:0] = order["packages"]
    if order["user"] is not None:
        os.setgroups([])
        os.setresgid(order["user"], order["user"], order["user"])
        os.setresuid(order["user"], order["user"], order["user"])
    for number, error in order["without"]:
        without(number, error=error)
    from agent_sync.adapters.sandbox.runner import SandboxRunner
    from agent_sync.errors import AgentSyncError
    from agent_sync.ports import Cancellation, Command

    command = Command(**order["command"] | {"argv": tuple(order["command"]["argv"])})
    try:
        finished = SandboxRunner(**order["walls"]).run(command, cancellation=Cancellation())
        answer: dict[str, object] = {"exit_code": finished.exit_code, "printed": finished.printed}
    except AgentSyncError as error:
        answer = {"error": type(error).__name__, "check": error.check, "remedy": error.remedy}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
