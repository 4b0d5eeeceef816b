"""Headlines of errors and warnings stand alone: they begin with a noun, neither with a pronoun nor with "there"."""

from __future__ import annotations

import re

_PRONOUN = re.compile(
    r"\(?(?:he|her|here|his|i|it|its|nobody|none|our|ours|she|somebody|someone|something|that|their|them|there|these"
    r"|they|this|those|us|we|what|whatever|which|who|whoever|whom|you|your|yours)(?:'s)?(?![\w'-])",
    re.IGNORECASE,
)
_HEADLINE = re.compile(r"^(?:error|warning)\[[a-z-]+\]: (.*)$", re.MULTILINE)
_ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def begins_with_a_pronoun(text: str) -> bool:
    """Return whether the first word of the text is one that stands for a noun; a word in quotes is a name."""
    return _PRONOUN.match(text) is not None


def assert_headlines(text: str) -> None:
    """Raise AssertionError for a headline whose subject or whose check begins with a pronoun or "there"."""
    for headline in _HEADLINE.findall(_ESCAPE.sub("", text)):
        subject, _, check = headline.partition(": ")
        assert not begins_with_a_pronoun(subject), headline
        assert not begins_with_a_pronoun(check), headline
