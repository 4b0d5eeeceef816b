"""One conversation with a supervisor, from starting it to knowing that no process is left."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from agent_sync.adapters.sandbox.order import Ending, Order, Report
from agent_sync.escaping import shown
from agent_sync.ports import Cancellation

MAX_PRINTED_BYTES = 1 << 16

_PACKAGES = str(Path(__file__).parents[3])
_BOOT = "import sys; sys.path.append(sys.argv[1]); from agent_sync.adapters.sandbox.supervisor import main; main()"
_POLL_S = 0.05
_GRACE_S = 10.0  # for ending processes; longer than that takes only one that hangs in the kernel


def supervised(order: Order, *, cancellation: Cancellation) -> tuple[Report, bytes]:
    """How the command ended, and the tail of what it printed. No process of it is left. Raises Cancelled, OSError.

    A fresh process, and not a fork of this one, which may have threads: nothing of its memory or descriptors is in
    the sandbox.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BOOT, _PACKAGES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(order.environment),
        cwd="/",
        start_new_session=True,  # a Ctrl-C at the terminal is for us alone; we then end it in order
    )
    with process:
        session = _Session(process)
        try:
            session.tell(order)
            session.listen(patience_s=order.timeout_s + _GRACE_S, cancellation=cancellation)
        finally:
            session.end()
        return session.report(), bytes(session.printed)


class _Session:
    """`said` is what the supervisor has reported, `printed` the tail of what the command has printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._orders = process.stdin
        self._reports = process.stdout.fileno()
        self._prints = process.stderr.fileno()
        self._poll = select.poll()
        self._poll.register(self._reports, select.POLLIN)
        self._poll.register(self._prints, select.POLLIN)
        self._open = {self._reports, self._prints}
        self.said = b""
        self.printed = bytearray()

    def tell(self, order: Order) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died, and will be found not to have reported
            self._orders.write(order.line())
            self._orders.flush()

    def listen(self, *, patience_s: float, cancellation: Cancellation) -> None:
        """Until the supervisor has said its last word, or should have."""
        until = time.monotonic() + patience_s
        while self._reports in self._open and time.monotonic() < until:
            cancellation.check()
            self._hear()

    def end(self) -> None:
        """The supervisor is gone, and with it the command: by itself once its input ends, or by force."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        until = time.monotonic() + _GRACE_S
        while self._open and time.monotonic() < until:
            self._hear()
            if self._reports not in self._open and self.said.strip().isdigit():
                _end_group(int(self.said))  # it was killed, and could not
        self._process.kill()
        self._process.wait()

    def report(self) -> Report:
        last = self.said.splitlines()[-1:]
        if last and not last[0].isdigit():
            return Report.from_line(last[0])
        why = b"".join(self.printed.splitlines()[-1:]).decode("utf-8", "replace")
        return Report(
            Ending.UNCONFINED, f"the process that supervises it ended with {self._process.returncode}: {shown(why)}"
        )

    def _hear(self) -> None:
        for descriptor, _ in self._poll.poll(_POLL_S * 1000):
            chunk = os.read(descriptor, MAX_PRINTED_BYTES)
            if not chunk:
                self._poll.unregister(descriptor)
                self._open.remove(descriptor)
            elif descriptor == self._reports:
                self.said += chunk
            else:
                self.printed += chunk
                del self.printed[:-MAX_PRINTED_BYTES]


def _end_group(group: int) -> None:
    """Every process of the group has been told to die, or is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
