"""What a command may use up in all: time, processes, room in its folders. (An rlimit knows one process, one file.)"""

from __future__ import annotations

import contextlib
import os
import stat
import time

from agent_sync.adapters.sandbox.folders import everything_in
from agent_sync.adapters.sandbox.order import Order
from agent_sync.adapters.sandbox.privileges import MAX_TASKS, tasks_of_the_machine

TICK_S = 0.1

# The folders are looked at for one tenth of the time, by this process's own effort (a disk that stalls must not make it
# look away), and at least this often.
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
        """Which limit is exceeded; None if none is, or it was looked at a moment ago."""
        started = time.monotonic()
        if started > self._deadline:
            return f"it runs for longer than {self._order.timeout_s:g} s"
        if started < self._look_at:
            return None
        self._look_at = started + TICK_S
        if tasks_of_the_machine() - self._tasks_before > MAX_TASKS // 2 and _tasks_in(self._group) > MAX_TASKS:
            return f"it has more than {MAX_TASKS} processes and threads at once"
        if started < self._measure_at:
            return None
        effort = time.process_time()
        found = self.excess_of_room()
        pause_s = min(_SHARE_FOR_MEASURING * (time.process_time() - effort), _LONGEST_PAUSE_S)
        self._measure_at = time.monotonic() + pause_s
        return found

    def excess_of_room(self) -> str | None:
        """Whether the output or the home holds more than it may."""
        try:
            return self._fullness(self._order.output) or self._fullness(self._order.home)
        except OSError as error:
            return f"what it wrote cannot be measured: {error.strerror}"

    def _fullness(self, path: str) -> str | None:
        size = files = folders = 0
        for found in everything_in(path):
            if stat.S_ISDIR(found.st_mode):
                folders += 1
            else:
                files += 1
                size += found.st_size
            if size > self._order.max_output_bytes:
                return f"it writes more than {self._order.max_output_bytes} bytes"
            if max(files, folders) > self._order.max_files:
                return f"it makes more than {self._order.max_files} files or folders"
        return None


def _tasks_in(group: int) -> int:
    """How many processes and threads the process group has."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()  # from the third on; the second may hold anything
                if int(fields[2]) == group:
                    count += int(fields[17])
    return count
