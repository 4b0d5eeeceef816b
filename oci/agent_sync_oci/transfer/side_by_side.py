"""Several transfers at once: a network has more than one of them in flight in the time of a round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 8
"""More did not help (measured against a registry on loopback)."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int = AT_ONCE) -> list[_Result]:
    """What `work` returns for each item, in the order of the items.

    The first error in that order is raised, when all that had begun has ended; what had not begun never does.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="transfer")
    try:
        return [each.result() for each in [pool.submit(work, item) for item in items]]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
