"""From a call that writes to a call that reads: a blob goes from one place to another without lying anywhere between.

`Registry.get_blob` writes, `Registry.put_blob` reads. A relay runs the first in a thread and hands its pieces to the
second, a few at a time, so that memory does not grow with the blob.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from agent_sync_oci.registry.protocol import Write

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MOST_BYTES = 1 << 20  # on their way


class Relay(io.RawIOBase):
    """The reading end. What the writing call raises is raised here, in place of the end; closing ends that call."""

    def __init__(self, produce: Callable[[Write], object]) -> None:
        """`produce` is called at once, in a thread of its own, with what takes its pieces."""
        self._pieces: deque[memoryview] = deque()
        self._bytes = 0
        self._moved = threading.Condition()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay")
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
            self._moved.wait_for(lambda: self.closed or self._bytes < _MOST_BYTES)
            if self.closed:
                raise _NobodyReads
            if piece:
                self._pieces.append(memoryview(piece))
                self._bytes += len(piece)
                self._moved.notify_all()

    def _wake(self, _: Future[object]) -> None:
        with self._moved:
            self._moved.notify_all()


class _NobodyReads(Exception):
    """Ends a call that writes to a relay that was closed."""
