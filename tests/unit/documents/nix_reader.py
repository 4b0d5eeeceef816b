"""What the pure Nix reader of the lock makes of a key or value on one line: its rules, as regular expressions.

It throws at whatever YAML 1.1 and 1.2 could read differently, so what passes here is the same text to all three.
"""

from __future__ import annotations

import json
import re

_KEY = re.compile(r'("([^"\\]|\\.)*"|[A-Za-z0-9_./+(]([A-Za-z0-9_./@+(),=~ -]*[A-Za-z0-9_./@+(),=~-])?):')
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_SUPPORTED = re.compile(r"[A-Za-z0-9_./(+-][^\t]*")
_REFUSED = re.compile(
    r"[-+.]?[0-9][0-9_]*([.eE:].*)?|0[xo].*|[.](inf|nan).*"
    r"|(y|n|yes|no|on|off|Y|N|Yes|No|On|Off|YES|NO|ON|OFF|Null|NULL|True|TRUE|False|FALSE)"
)


def text_of_key(spelled: str) -> str:
    """The key that `spelled` and a colon are.

    Raises:
        ValueError: they are none.
    """
    if _KEY.fullmatch(spelled + ":") is None:
        raise ValueError(spelled)
    return str(json.loads(spelled)) if spelled.startswith('"') else spelled


def value_of(spelled: str) -> object:
    """The value that `spelled` is.

    Raises:
        ValueError: it is ambiguous or not supported.
    """
    if spelled[:1] in ('"', "[", "{"):
        return json.loads(spelled)
    if spelled in ("null", "true", "false") or _INTEGER.fullmatch(spelled):
        return json.loads(spelled)
    ambiguous = ": " in spelled or spelled.endswith((":", " ")) or " #" in spelled or spelled.startswith("- ")
    if ambiguous or not _SUPPORTED.fullmatch(spelled) or _REFUSED.fullmatch(spelled):
        raise ValueError(spelled)
    return spelled
