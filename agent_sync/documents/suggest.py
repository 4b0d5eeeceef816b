"""Did you mean? The nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 64


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is most likely a slip for, upper and lower case aside; None if none is near.

    Of two that are equally near the first in alphabetical order. A word over 64 characters is no slip; comparing takes
    quadratic time.
    """
    from difflib import SequenceMatcher

    if len(word) > _LONGEST:
        return None
    matcher = SequenceMatcher(b=word.casefold(), autojunk=False)
    best, nearest = 0.6, None
    for candidate in sorted(each for each in candidates if len(each) <= _LONGEST):
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, nearest = ratio, candidate
    return nearest
