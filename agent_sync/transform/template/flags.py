"""What stands between `%` and the verb, and the padding that it asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Flags:
    """The flags, width and precision of one verb. `go_syntax` is `%#v`, where `#` means nothing else."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    go_syntax: bool = False
    width: int | None = None
    precision: int | None = None


def padded(text: str, flags: Flags, *, zeros: bool = True) -> str:
    """`text` brought to the width; with zeros on the left where they are allowed and asked for."""
    if flags.width is None:
        return text
    return text + " " * (flags.width - len(text)) if flags.minus else padding(len(text), flags, zeros=zeros) + text


def padding(length: int, flags: Flags, *, zeros: bool = True) -> str:
    """What a text of `length` characters lacks to the width."""
    fill = "0" if flags.zero and zeros and not flags.minus else " "
    return fill * ((flags.width or 0) - length)


def shortened(text: str, flags: Flags) -> str:
    """`text` cut to the precision, in characters."""
    return text if flags.precision is None else text[: flags.precision]
