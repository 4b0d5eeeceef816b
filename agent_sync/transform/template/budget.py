"""How much work one template may cause, and the meter that counts it while it happens.

The attacks: nested ranges that never end, `$x` doubled forty times, templates that call themselves, a file of nothing
but brackets. Python has no other means to stop a computation, so everything that loops or grows reports here first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent_sync.transform.template.values import joined, size_bytes


@dataclass(frozen=True, slots=True)
class Budget:
    """The bounds of one rendering.

    `steps`: nodes, commands, iterations and printed elements, and one more for each 256 characters a function reads;
    `output_bytes`: what is made in all, results of functions included, because a variable can hold them;
    `depth`: blocks, parentheses, template calls and printed lists inside each other;
    `tokens`: tokens of the template language in the file, which bound the parsed form in memory.
    """

    steps: int = 1_000_000
    output_bytes: int = 32_000_000
    # Python's recursion limit of 1,000 has to hold several frames of the interpreter for each level.
    depth: int = 100
    tokens: int = 200_000


class OverBudget(Exception):
    """A bound of the budget was passed; the text says which."""


class Meter:
    """What is used up so far. Each method raises `OverBudget` when its bound is passed."""

    __slots__ = ("_budget", "_bytes_left", "_depth", "_steps_left", "_tokens_left")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._steps_left = budget.steps
        self._bytes_left = budget.output_bytes
        self._tokens_left = budget.tokens
        self._depth = 0

    def step(self, count: int = 1) -> None:
        """Count `count` units of work."""
        self._steps_left -= count
        if self._steps_left < 0:
            raise OverBudget(f"the template takes more than {self._budget.steps} steps")

    def read(self, text: str) -> None:
        """Count the work of going through `text` once."""
        # 256 characters are about as much work as one step of the evaluator.
        self.step(len(text) >> 8)

    def made(self, text: str) -> None:
        """Count `text` as made."""
        self.made_bytes(size_bytes(text))

    def made_bytes(self, count: int) -> None:
        """Count `count` bytes as made; asked before a large text is built where its size is known."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OverBudget(f"the template makes more than {self._budget.output_bytes} bytes")

    def token(self) -> None:
        """Count one token of the template language."""
        self._tokens_left -= 1
        if self._tokens_left < 0:
            raise OverBudget(f"the template has more than {self._budget.tokens} tokens")

    def enter(self) -> None:
        """Count one level of nesting, until `leave`."""
        self._depth += 1
        if self._depth > self._budget.depth:
            raise OverBudget(f"the template nests deeper than {self._budget.depth} levels")

    def leave(self) -> None:
        """Count one level less."""
        self._depth -= 1


def in_pieces(text: str, change: Callable[[str], str], meter: Meter) -> str:
    """Return `text` with every character changed, paid for as it grows: an escape can make six bytes of one."""
    pieces: list[str] = []
    for start in range(0, len(text), _PIECE):
        pieces.append(change(text[start : start + _PIECE]))
        meter.made(pieces[-1])
    return joined(pieces)


_PIECE = 1 << 16
