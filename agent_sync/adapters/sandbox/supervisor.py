"""The process between runner and command: start it confined, answer for it, watch it, end what is left.

One line of order comes in on standard input, which then stays open: when it ends, the runner is gone or wants no
more. Standard error is where the command prints. To standard output goes a line with the number of the command's
process group, so that the runner can end it should this process be killed, and a line of report after the last
process has ended.

No process can escape: none can leave the process group (seccomp.py), so one signal reaches all, those too that are
being forked; every orphan becomes this process's child (PR_SET_CHILD_SUBREAPER), so it can wait until there is none.
Whoever kills this process leaves that to the runner; only who kills both at once leaves something behind.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import time

from agent_sync.adapters.sandbox.confinement import MAX_TASKS, Child, NotStartedError, start, tasks_of_the_machine
from agent_sync.adapters.sandbox.kernel import prctl
from agent_sync.adapters.sandbox.protocol import Ending, Order, Report
from agent_sync.adapters.sandbox.requests import Requests
from agent_sync.adapters.sandbox.untrusted_files import everything_in

TICK_S = 0.1

# The directories are looked at for one tenth of the time, by this process's own effort (a disk that stalls must not
# make it look away), and at least this often.
_SHARE_FOR_MEASURING, _LONGEST_PAUSE_S = 10, 2.0


class Watch:
    """Looks at a command now and then; `group` is its process group."""

    def __init__(self, order: Order, *, group: int) -> None:
        self._order = order
        self._group = group
        self._deadline = time.monotonic() + order.timeout_s
        self._look_at = self._measure_at = 0.0
        self._tasks_before = tasks_of_the_machine()

    def excess(self) -> str | None:
        """Return which limit is exceeded; None if none is, or if this was checked a moment ago."""
        started = time.monotonic()
        if started > self._deadline:
            return f"runs for longer than {self._order.timeout_s:g} s (command_timeout)"
        if started < self._look_at:
            return None
        self._look_at = started + TICK_S
        if tasks_of_the_machine() - self._tasks_before > MAX_TASKS // 2 and _tasks_in(self._group) > MAX_TASKS:
            return f"has more than {MAX_TASKS} processes and threads at once"
        if started < self._measure_at:
            return None
        effort = time.process_time()
        found = self.excess_of_space()
        pause_s = min(_SHARE_FOR_MEASURING * (time.process_time() - effort), _LONGEST_PAUSE_S)
        self._measure_at = time.monotonic() + pause_s
        return found

    def excess_of_space(self) -> str | None:
        """Return how the output or the home exceeds its limit; None if neither does."""
        try:
            return self._fullness(self._order.output) or self._fullness(self._order.home)
        except OSError as error:
            return f"has written what cannot be measured: {error.strerror}"

    def _fullness(self, path: str) -> str | None:
        size = files = directories = 0
        for found in everything_in(path):
            if stat.S_ISDIR(found.st_mode):
                directories += 1
            else:
                files += 1
                size += found.st_size
            if size > self._order.max_output_bytes:
                return f"writes more than {self._order.max_output_bytes} bytes (max_source_size)"
            if max(files, directories) > self._order.max_files:
                return f"makes more than {self._order.max_files} files or directories (max_files)"
        return None


def _tasks_in(group: int) -> int:
    """Return how many processes and threads the process group has."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()  # from the third on; the second may hold anything
                if int(fields[2]) == group:
                    count += int(fields[17])
    return count


_SET_CHILD_SUBREAPER = 36
_LIFELINE, _REPORTS = 0, 1


def main() -> None:
    """Carry out one order."""
    order = Order.from_line(_read_line())
    os.write(_REPORTS, supervise(order).line())


def supervise(order: Order) -> Report:
    """Supervise the command until no process of it is left; return how it ended."""
    prctl(_SET_CHILD_SUBREAPER, 1)
    try:
        child = start(order)
    except NotStartedError as error:
        return Report(error.ending, error.text)
    os.write(_REPORTS, b"%d\n" % child.pid)
    watch = Watch(order, group=child.pid)
    requests = Requests(child.listener, group=child.pid, directories=(order.output, order.home))
    try:
        ending = _watch(child, requests, watch)
    finally:
        number = _end_all(child)
    if ending is None:
        excess = watch.excess_of_space()
        ending = Report(Ending.EXITED, number=number) if excess is None else Report(Ending.EXCEEDED, excess)
    return ending


def _read_line() -> bytes:
    """Read the first line of standard input, and not a byte more: no buffer may hide that the input has ended."""
    line = b""
    while not line.endswith(b"\n") and (chunk := os.read(_LIFELINE, 1 << 16)):
        line += chunk
    return line


def _watch(child: Child, requests: Requests, watch: Watch) -> Report | None:
    """Watch until the command has ended (None) or must be ended (the report why)."""
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
    """End every process of the group; return the command's exit status, or minus its signal.

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
