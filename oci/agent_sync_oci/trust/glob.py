"""Patterns over bundle names: anchored at both ends; `*` stays within a `/`, `**` crosses it; the rest is literal."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\*\*|\*|[^*]", re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern` means `name`, whole. Takes time in proportion to the product of their lengths at most.

    Not a regular expression: those can be made to take for ever.
    """
    tokens = _TOKEN.findall(pattern)
    reached = _closure({0}, tokens)
    for character in name:
        reached = _closure({after for place in reached for after in _steps(place, tokens, character)}, tokens)
    return len(tokens) in reached


def _steps(place: int, tokens: list[str], character: str) -> set[int]:
    if place == len(tokens):
        return set()
    match tokens[place]:
        case "**":
            return {place}
        case "*":
            return {place} if character != "/" else set()
        case token:
            return {place + 1} if character == token else set()


def _closure(places: set[int], tokens: list[str]) -> set[int]:
    """A star may also stand for nothing."""
    found = set(places)
    for place in places:
        while place < len(tokens) and tokens[place].startswith("*") and place + 1 not in found:
            place += 1
            found.add(place)
    return found
