"""The wish of a user, a terminal or a system that the program stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation

_MEANING_STOP = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Within, each of the signals cancels and raises KeyboardInterrupt; one that the caller ignores stays ignored.

    A second one raises it again: what undoes a run that was cut short begins anew then, and loses nothing.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if not stopping:  # cancelling takes a lock, which the handler that this one interrupts may hold
            stopping = True
            cancellation.cancel()
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for name in _MEANING_STOP if (number := getattr(signal, name, None))}
    usual = {number for number, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, before[number])
