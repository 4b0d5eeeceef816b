"""Pieces taken by another thread, in order: where they are many, hashing and writing need not wait for the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_MOST_WAITING = 16  # pieces of some hundred kilobytes


class HandedOver:
    """Within, a thread takes what is written. At the end all of it has been taken; what taking it raised is raised.

    After a fault some more pieces may be taken: the whole is good for nothing then.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._waiting: deque[Future[object]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="handed-over")

    def write(self, piece: bytes, /) -> None:
        """The piece is taken in its turn. Raises what taking an earlier one has raised."""
        self._waiting.append(self._pool.submit(self._take, piece))
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
