"""Time, and the wish to stop."""

from __future__ import annotations

import threading
from typing import Protocol

from agent_sync.errors import Cancelled


class Clock(Protocol):
    """What time it is; used for names of kept files and for reclaiming, never for an output."""

    def now_s(self) -> float:
        """Seconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class Cancellation:
    """Lets a caller stop a verb from another thread, or after a time; long work asks `check` now and then."""

    def __init__(self, *, clock: Clock | None = None, timeout_s: float | None = None) -> None:
        self._event = threading.Event()
        self._clock = clock
        self._deadline = None if clock is None or timeout_s is None else clock.monotonic_s() + timeout_s

    def cancel(self) -> None:
        """From now on `check` raises."""
        self._event.set()

    def check(self) -> None:
        """Nothing, unless it is time to stop: then Cancelled."""
        if self._event.is_set():
            raise Cancelled(subject="this run", check="was cancelled", remedy="run it again; nothing is half-written")
        if self._deadline is not None and self._clock is not None and self._clock.monotonic_s() > self._deadline:
            raise Cancelled(subject="this run", check="took longer than its caller allows", remedy="allow more time")
