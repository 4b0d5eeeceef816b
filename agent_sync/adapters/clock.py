"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Time as the system has it."""

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()
