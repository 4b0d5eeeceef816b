"""The deadline of a call, which holds whatever the server does: drips headers, stays silent, asks to wait, fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent_sync_oci.errors import AgentSyncError

POLL_S = 0.1
"""How soon a cancellation is noticed while the server is silent."""


def never_cancelled() -> None:
    """Do not cancel: the default of every `check`."""


class Deadline:
    """The time that is left for the call in progress; each thread has its own clock.

    `check` is asked at every wait, and raises to cancel. `expired` makes the error for a call that took `timeout_s`.
    """

    def __init__(self, timeout_s: float, check: Callable[[], None], *, expired: Callable[[], AgentSyncError]) -> None:
        self._timeout_s = timeout_s
        self._check = check
        self._expired = expired
        self._clock = threading.local()

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """Run the clock for the block; a call within a call has a clock of its own."""
        outer = getattr(self._clock, "end", None)
        self._clock.end = time.monotonic() + self._timeout_s
        try:
            yield
        finally:
            self._clock.end = outer

    def remaining_s(self) -> float:
        """Return the seconds that are left, more than none. Raises what `expired` makes, and what `check` raises."""
        self._check()
        remaining_s: float = self._clock.end - time.monotonic()
        if remaining_s <= 0:
            raise self._expired()
        return remaining_s

    def poll_s(self) -> float:
        """Return how long to wait for the network before asking again. Raises as `remaining_s`."""
        return min(self.remaining_s(), POLL_S)

    def sleep(self, seconds: float) -> None:
        """Sleep, in steps that notice a cancellation. Raises as `remaining_s`."""
        end = time.monotonic() + seconds
        while (rest_s := end - time.monotonic()) > 0:
            time.sleep(min(rest_s, self.poll_s()))
