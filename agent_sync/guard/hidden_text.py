"""Characters that are not shown but are read: they can carry instructions past a reviewer ("Trojan Source",
CVE-2021-42574).
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A flag like that of Scotland is a black flag, letters as tags, and a cancel tag (Unicode TR 51, ED-14a): the one
# honest use of tags.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_HIDDEN = (
    ("tag characters", re.compile("[\U000e0000-\U000e007f]+")),
    ("bidirectional overrides", re.compile("[\u202a-\u202e\u2066-\u2069]")),
    ("a run of variation selectors", re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")),
    ("a run of zero-width characters", re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{4,}")),
)
# The UTF-8 lead bytes of all of these; text without them needs no decoding.
_POSSIBLE = re.compile(rb"\xe2\x80[\x8b-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xb8[\x80-\x8f]|\xef\xbb\xbf|\xf3\xa0")


class HiddenText(NamedTuple):
    """What was found, and where: 1-based line and column, in characters."""

    what: str
    line: int
    column: int


def find_hidden_text(content: bytes) -> HiddenText | None:
    """The first hidden text in a file that could smuggle instructions; None for binary files and honest text."""
    if content.isascii() or _POSSIBLE.search(content) is None or b"\0" in content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    plain = _FLAG.sub(lambda flag: "\U0001f3f4" + "." * (len(flag[0]) - 1), text)
    hits = [(match.start(), what) for what, pattern in _HIDDEN if (match := pattern.search(plain))]
    if not hits:
        return None
    start, what = min(hits)
    return HiddenText(what, plain.count("\n", 0, start) + 1, start - plain.rfind("\n", 0, start))
