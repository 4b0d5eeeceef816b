"""Text from anywhere -> text that only shows: no control character of a file, a server or a name reaches a terminal."""

from __future__ import annotations

import re
import unicodedata

from agent_sync.escaping import escaped

# What may pass as it is. Everything else is looked at character by character.
_HARMLESS = re.compile(r"[\t\n\x20-\x7e]*")


def printable(text: str) -> str:
    """`text` with what a terminal would act upon, or not show, as \\xNN, \\uNNNN or \\UNNNNNNNN.

    Escaped are control characters but tab and line feed (ESC can rename a window or answer for the user), bidirectional
    and other invisible ones (CVE-2021-42574), surrogates and what is in no alphabet. Spaces of every width stay.
    """
    if _HARMLESS.fullmatch(text):
        return text
    return "".join(each if _is_shown(each) else escaped(each) for each in text)


def printable_line(text: str) -> str:
    """The same for text that must stay on one line, in one column."""
    return printable(text).replace("\n", "\\x0a").replace("\t", "\\x09")


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(each) for each in text)


def _is_shown(character: str) -> bool:
    return character in "\t\n" or character.isprintable() or unicodedata.category(character) == "Zs"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
