"""The variables in sight, innermost last.

Found by name when they are used, as Go does: a declaration inside an argument that `or` never evaluates does not exist.
Each name remembers its own declarations, so that a file with 100,000 of them is not searched once for each use.
"""

from __future__ import annotations

from agent_sync.transform.template.faults import Refused
from agent_sync.transform.template.values import Value


class Variables:
    """A stack of named values; it starts with `$`."""

    __slots__ = ("_names", "_places", "_values")

    def __init__(self, root: Value) -> None:
        self._names = ["$"]
        self._values = [root]
        self._places: dict[str, list[int]] = {"$": [0]}

    def __contains__(self, name: str) -> bool:
        return bool(self._places.get(name))

    def declare(self, name: str, value: Value) -> None:
        """Put a new variable on top; it hides an older one of its name."""
        self._places.setdefault(name, []).append(len(self._names))
        self._names.append(name)
        self._values.append(value)

    def get(self, name: str) -> Value:
        """The value of the innermost variable called `name`."""
        return self._values[self._place(name)]

    def assign(self, name: str, value: Value) -> None:
        """Give the innermost variable called `name` another value."""
        self._values[self._place(name)] = value

    def assign_from_top(self, count: int, value: Value) -> None:
        """Give the `count`-th variable from the top (1: the last one declared) another value."""
        self._values[-count] = value

    def mark(self) -> int:
        """A mark to forget back to."""
        return len(self._names)

    def forget(self, mark: int) -> None:
        """Drop everything declared since `mark`."""
        while len(self._names) > mark:
            self._places[self._names.pop()].pop()
            self._values.pop()

    def _place(self, name: str) -> int:
        places = self._places.get(name)
        if not places:
            raise Refused(f"the variable {name} has no value here: what declares it did not run")
        return places[-1]
