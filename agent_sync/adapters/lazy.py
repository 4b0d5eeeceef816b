"""A port that is made when it is first used, because what stands behind it takes long to load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


def lazy(make: Callable[[], Port]) -> Port:
    """What `make` gives, made once, by whichever thread first needs it."""
    return cast("Port", _Lazy(make))


class _Lazy:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: list[object] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as many types as the port has methods
        with self._making:
            if not self._made:
                self._made.append(self._make())
        return getattr(self._made[0], name)
