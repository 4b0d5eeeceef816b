"""Foreign text made fit for a message: what a terminal would act upon, or not show, is escaped; what is long is cut."""

from __future__ import annotations

_LONGEST = 200


def shown(text: str, *, longest: int = _LONGEST) -> str:
    """`text` in double quotes, as a message names a path or a word that it did not choose."""
    return '"' + visible(text, longest=longest).replace('"', escaped('"')) + '"'


def visible(text: str, *, longest: int = _LONGEST) -> str:
    """The same without quotes."""
    short = text if len(text) <= longest else text[:longest] + "..."
    return short if short.isprintable() else "".join(each if each.isprintable() else escaped(each) for each in short)


def escaped(character: str) -> str:
    """The character as \\xNN, \\uNNNN or \\UNNNNNNNN, which YAML understands in double quotes."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
