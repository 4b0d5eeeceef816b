"""Go's strings in Python's: bytes that are mostly UTF-8, where Python has code points.

A byte that is not UTF-8 (from "\\xff", or a string that was sliced inside a character) stands in a `str` as one lone
surrogate, U+DC80 to U+DCFF, as Python's `surrogateescape` has it. So the usual text stays a plain `str`, and length,
slicing and comparison go through the bytes only where a string is not ASCII.
"""

from __future__ import annotations

from agent_sync.transform.template.faults import Refused


def to_bytes(text: str) -> bytes:
    """The bytes that Go would hold for `text`.

    Raises:
        Refused: the text came in with a lone surrogate that stands for no byte.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Refused("a text has a lone surrogate, which no encoding can hold") from error


def from_bytes(data: bytes) -> str:
    """`data` as text, a byte outside UTF-8 as one surrogate."""
    return data.decode("utf-8", "surrogateescape")


def joined(parts: list[str]) -> str:
    """The parts as one text; two halves of a character that meet become that character again."""
    text = "".join(parts)
    return text if is_whole(text) else from_bytes(to_bytes(text))


def is_whole(text: str) -> bool:
    """Whether every character of `text` is a real one, so that it can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def size_bytes(text: str) -> int:
    """How many bytes `text` has."""
    return len(text) if text.isascii() else len(to_bytes(text))


def cut(text: str, start: int, stop: int) -> str:
    """The bytes from `start` to `stop`, as text."""
    return text[start:stop] if text.isascii() else from_bytes(to_bytes(text)[start:stop])


def is_less(first: str, second: str) -> bool:
    """Whether `first` sorts before `second` by bytes."""
    if first.isascii() and second.isascii():
        return first < second
    return to_bytes(first) < to_bytes(second)
