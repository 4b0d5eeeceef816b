"""Anchored globs over paths: `*` stays within one name, `**` crosses directories, `?` and `[...]` are one character.

There are no regular expressions for users, and a pattern always matches a whole path: a prefix never passes for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


class Globs:
    """Several patterns; a path is in it if one of them matches. A pattern that ends in `/` means all below that
    directory.
    """

    __slots__ = ("_any", "_matches")

    def __init__(self, patterns: Iterable[str]) -> None:
        alternatives = "|".join(_translated(pattern) for pattern in patterns)
        self._any = bool(alternatives)
        self._matches = re.compile(alternatives or r"(?!)", re.DOTALL).fullmatch

    def __bool__(self) -> bool:
        return self._any

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._matches(path) is not None


@lru_cache(maxsize=1024)
def _translated(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\])", pattern + ("**" if pattern.endswith("/") else ""))
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    match part:
        case "**/":
            return "(?:[^/]+/)*"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _:
            return _literal_or_class(part)


def _literal_or_class(part: str) -> str:
    if len(part) > 2 and part[0] == "[" and part[-1] == "]":
        negated = part[1] == "!"
        return f"(?!/)[{'^' if negated else ''}{_class(part[2 if negated else 1 : -1])}]"
    return re.escape(part)


def _class(characters: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", characters)
