"""An iterator run by a thread of its own, so that the network is read while the caller hashes and writes, and so that
the caller never waits for longer than it wants to: a resolver cannot be interrupted, but it can be left alone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

THREAD_NAME = "agent-sync-fetch"
_TOGETHER = 8  # chunks that change hands at once: that takes as long as reading one of them does
_DEPTH = 8  # times so many chunks of at most 64 KiB: 4 MiB in flight
_PATIENCE_S = 1.0  # for a thread that has been told to stop; one that waits for a resolver or a proxy ends by itself


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class ReadAhead:
    """The chunks that a thread has ready."""

    def __init__(self, produce: Callable[[], Iterator[bytes]]) -> None:
        self.is_over = False
        self._produce = produce
        self._ready: queue.Queue[list[bytes] | _End] = queue.Queue(_DEPTH)
        self._gathered: list[bytes] = []
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next(self, *, timeout_s: float) -> Sequence[bytes]:
        """The next chunks; none if none came in time, or (`is_over`) none will. Raises what the iterator raised."""
        try:
            ready = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            return ()
        if not isinstance(ready, _End):
            return ready
        self.is_over = True
        if ready.error is not None:
            raise ready.error
        return ()

    def abandon(self, hang_up: Callable[[], None]) -> None:
        """Nobody wants the rest; the thread is gone, unless it waits for something that cannot be interrupted."""
        self._unwanted.set()
        hang_up()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        with ExitStack() as stack:
            stack.push(self._end)
            for chunk in self._produce():
                self._gathered.append(chunk)
                if len(self._gathered) == _TOGETHER and not self._hand_over():
                    return

    def _end(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Whatever ended the iterator is raised by `next`, in the caller's thread; it is settled in this one."""
        self._hand_over()
        self._put(_End(error))
        return True

    def _hand_over(self) -> bool:
        """Whether more is wanted."""
        gathered, self._gathered = self._gathered, []
        return self._put(gathered)

    def _put(self, ready: list[bytes] | _End) -> bool:
        """Whether it is still wanted."""
        while not self._unwanted.is_set():
            try:
                self._ready.put(ready, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def reading_ahead(produce: Callable[[], Iterator[bytes]], *, hang_up: Callable[[], None]) -> Iterator[ReadAhead]:
    """What `produce` gives, read by a thread. `hang_up` makes the iterator fail soon, wherever it is."""
    ahead = ReadAhead(produce)
    ahead.start()
    try:
        yield ahead
    finally:
        ahead.abandon(hang_up)
