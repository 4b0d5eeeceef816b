"""How far work on many parts has come, told while several threads are at it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from agent_sync.events import Progressed

if TYPE_CHECKING:
    from agent_sync.ports import World


class Counted:
    """Announces each part of `total` that is done. Any thread may count."""

    def __init__(self, work: str, total: int, world: World) -> None:
        self._work = work
        self._total = total
        self._observer = world.observer
        self._done = 0
        self._counting = threading.Lock()
        self._announce()

    def one_more(self) -> None:
        """One more is done."""
        with self._counting:
            self._done += 1
            self._announce()

    def _announce(self) -> None:
        if self._total:
            self._observer(Progressed(self._work, self._done, self._total))
