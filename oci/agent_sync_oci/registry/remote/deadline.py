"""How long a call may take, whatever the server does: drips headers, stays silent, asks to wait, fails for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent_sync_oci.errors import RegistryError

POLL_S = 0.1  # how soon a wish to stop is heard while the server is silent


class Deadline:
    """The time that is left for the call that runs; every thread has its own. `check` raises to cancel."""

    def __init__(self, timeout_s: float, check: Callable[[], None], *, subject: str) -> None:
        self._timeout_s = timeout_s
        self._check = check
        self._subject = subject
        self._running = threading.local()

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """The clock runs inside; a call within a call has a clock of its own."""
        before = getattr(self._running, "end", None)
        self._running.end = time.monotonic() + self._timeout_s
        try:
            yield
        finally:
            self._running.end = before

    def left_s(self) -> float:
        """More than nothing. Raises RegistryError when the time is over, and whatever `check` raises."""
        self._check()
        left_s: float = self._running.end - time.monotonic()
        if left_s <= 0:
            raise RegistryError(
                subject=self._subject,
                check=f"it did not finish within {self._timeout_s:g} s",
                remedy="try again, or allow more time",
            )
        return left_s

    def tick_s(self) -> float:
        """How long to wait for the network before asking again."""
        return min(self.left_s(), POLL_S)

    def sleep(self, seconds: float) -> None:
        """Waits, unless the time is over before that."""
        end = time.monotonic() + seconds
        while (rest_s := end - time.monotonic()) > 0:
            time.sleep(min(rest_s, self.tick_s()))
