"""The process between runner and command: starts it confined, answers for it, watches it, ends what is left.

One line of order comes in on standard input, which then stays open: when it ends, the runner is gone or wants no
more. Standard error is where the command prints. To standard output goes a line with the number of the command's
process group, so that the runner can end it should this process be killed, and a line of report after the last
process has ended.

No process can escape: none can leave the process group (policy.py), so one signal reaches all, those too that are
being forked; every orphan becomes this process's child (PR_SET_CHILD_SUBREAPER), so it can wait until there is none.
Whoever kills this process leaves that to the runner; only who kills both at once leaves something behind.
"""

from __future__ import annotations

import os
import select
import signal

from agent_sync.adapters.sandbox.confinement import Child, NotStartedError, start
from agent_sync.adapters.sandbox.kernel import prctl
from agent_sync.adapters.sandbox.order import Ending, Order, Report
from agent_sync.adapters.sandbox.requests import Requests
from agent_sync.adapters.sandbox.watch import TICK_S, Watch

_SET_CHILD_SUBREAPER = 36
_LIFELINE, _REPORTS = 0, 1


def main() -> None:
    """Carry out one order."""
    order = Order.from_line(_line())
    os.write(_REPORTS, supervise(order).line())


def supervise(order: Order) -> Report:
    """How the command ended; no process of it is left."""
    prctl(_SET_CHILD_SUBREAPER, 1)
    try:
        child = start(order)
    except NotStartedError as error:
        return Report(error.ending, error.text)
    os.write(_REPORTS, b"%d\n" % child.pid)
    watch = Watch(order, group=child.pid)
    requests = Requests(child.listener, group=child.pid, folders=(order.output, order.home))
    try:
        ending = _accompany(child, requests, watch)
    finally:
        number = _end_all(child)
    if ending is None:
        excess = watch.excess_of_room()
        ending = Report(Ending.EXITED, number=number) if excess is None else Report(Ending.EXCEEDED, excess)
    return ending


def _line() -> bytes:
    """The first line of standard input, and not a byte more: no buffer may hide that it has ended."""
    line = b""
    while not line.endswith(b"\n") and (chunk := os.read(_LIFELINE, 1 << 16)):
        line += chunk
    return line


def _accompany(child: Child, requests: Requests, watch: Watch) -> Report | None:
    """Until the command has ended (None) or must be (why)."""
    process = os.pidfd_open(child.pid)
    poll = select.poll()
    for descriptor in (_LIFELINE, child.listener, process):
        poll.register(descriptor, select.POLLIN)
    while True:
        events = dict(poll.poll(TICK_S * 1000))
        if process in events:
            return None
        if _LIFELINE in events:
            return Report(Ending.STOPPED)
        if events.get(child.listener, 0) & select.POLLIN:
            requests.answer()
        elif child.listener in events:
            poll.unregister(child.listener)
        excess = watch.excess()
        if excess is not None:
            return Report(Ending.EXCEEDED, excess)


def _end_all(child: Child) -> int:
    """The command's exit status, or minus its signal, after every process of its group has ended.

    The group is signalled before its leader is waited for: until then the number cannot belong to anybody else.
    """
    os.killpg(child.pid, signal.SIGKILL)
    os.close(child.listener)
    number = 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return number
        if pid == child.pid:
            number = os.waitstatus_to_exitcode(status)
