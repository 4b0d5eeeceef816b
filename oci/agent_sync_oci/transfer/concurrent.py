"""Concurrent transfers: several at once, and a pipe that turns a call that writes into a stream that is read.

`Registry.get_blob` writes, `Registry.put_blob` reads. A pipe runs the first in a thread and hands its pieces to the
second, a few at a time, so that memory does not grow with the blob.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from agent_sync_oci.registry.protocol import Write

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


MAX_TRANSFERS = 8
"""More did not help (measured against a registry on loopback)."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def concurrently(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Return what `work` returns for each item, in the order of the items.

    Raises the first error in that order, when all work that had begun has ended; other work never begins. Nothing is
    left behind: the work uses registries that the caller closes next, and their deadlines look for a cancellation.
    """
    pool = ThreadPoolExecutor(MAX_TRANSFERS, thread_name_prefix="transfer")
    try:
        return [each.result() for each in [pool.submit(work, item) for item in items]]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_MAX_BUFFERED_BYTES = 1 << 20  # between the two calls


class Pipe(io.RawIOBase):
    """The reading end. What the writing call raises is raised here, in place of the end; closing ends that call.

    Nothing is stored in between: the pieces change hands in memory.
    """

    def __init__(self, produce: Callable[[Write], object]) -> None:
        """Call `produce` at once, in a thread of its own, with what takes its pieces."""
        self._pieces: deque[memoryview] = deque()
        self._bytes = 0
        self._moved = threading.Condition()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pipe")
        self._produced = self._pool.submit(produce, self._take)
        self._produced.add_done_callback(self._wake)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer)
        with self._moved:
            self._moved.wait_for(lambda: self._pieces or self._produced.done())
            if not self._pieces:
                self._produced.result()  # raises what went wrong
                return 0
            piece = self._pieces.popleft()
            count = min(len(piece), len(target))
            target[:count] = piece[:count]
            if count < len(piece):
                self._pieces.appendleft(piece[count:])
            self._bytes -= count
            self._moved.notify_all()
        return count

    def close(self) -> None:
        if not self.closed:
            super().close()
            with self._moved:
                self._moved.notify_all()
            self._pool.shutdown()

    def _take(self, piece: bytes) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self.closed or self._bytes < _MAX_BUFFERED_BYTES)
            if self.closed:
                raise _PipeClosed
            if piece:
                self._pieces.append(memoryview(piece))
                self._bytes += len(piece)
                self._moved.notify_all()

    def _wake(self, _: Future[object]) -> None:
        with self._moved:
            self._moved.notify_all()


class _PipeClosed(Exception):
    """Ends a call that writes to a closed pipe."""
