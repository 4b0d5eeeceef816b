"""Foreign text in messages: quote it, escape what a terminal would act upon, and suggest the word that was meant."""

from __future__ import annotations

from collections.abc import Iterable

# -- Foreign text made fit for a message: what a terminal would act upon, or not show, is escaped; what is long is
# cut.

_MAX_QUOTED = 200


def quoted(text: object, *, longest: int = _MAX_QUOTED) -> str:
    """Return foreign text in double quotes, fit for a message; what is no text is spelt as Python spells it."""
    return (
        '"'
        + printable(text if isinstance(text, str) else repr(text), longest=longest).replace('"', escape_character('"'))
        + '"'
    )


def printable(text: str, *, longest: int = _MAX_QUOTED) -> str:
    """The same without quotes."""
    short = text if len(text) <= longest else text[:longest] + "..."
    return (
        short
        if short.isprintable()
        else "".join(each if each.isprintable() else escape_character(each) for each in short)
    )


def escape_character(character: str) -> str:
    """The character as \\xNN, \\uNNNN or \\UNNNNNNNN, which YAML understands in double quotes."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# -- Did you mean? The nearest of the words that would have been right.

_MAX_COMPARED = 64


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is most likely a slip for, upper and lower case aside; None if none is near.

    Of two that are equally near the first in alphabetical order. A word over 64 characters is no slip; comparing takes
    quadratic time.
    """
    from difflib import SequenceMatcher

    if len(word) > _MAX_COMPARED:
        return None
    matcher = SequenceMatcher(b=word.casefold(), autojunk=False)
    best, nearest = 0.6, None
    for candidate in sorted(each for each in candidates if len(each) <= _MAX_COMPARED):
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, nearest = ratio, candidate
    return nearest
