"""Where our engine differs from Go's on purpose; everything else that differs is a fault."""

from __future__ import annotations

from tests.unit.template.oracle import Answer

REFUSED_BY_US = {
    "not UTF-8": "a result is text: Go would write half a character as it is",
    "an address in memory": "%p of a list or map is another number each time",
    "complex numbers": "nothing in data is complex",
    "`call` is not part": "data holds no functions to call, so Go fails too, but only when it gets there",
    "limit: the template nests": "a hundred levels here; Go goes to 100,000, or dies of its stack",
    "limit: the template makes": "our budget; the oracle has one of its own",
    "limit: the template takes": "our budget; Go has none",
}

WHICH_ERROR_FIRST = "only a function takes arguments"
"""`.a.b 1` without an `a`: Go tells of the missing key, we of the argument that no field takes. Both refuse."""


def is_deliberate(text: str, ours: Answer, theirs: Answer | None = None) -> bool:
    """Whether our answer to `text` is one that need not be Go's."""
    if ours.error is None:
        return False
    if ours.error.startswith("limit: the template nests") and "template" not in text and "block" not in text:
        return False  # nothing but a template that calls itself gets so deep here
    if theirs is not None and WHICH_ERROR_FIRST in ours.error:
        return theirs.error is not None
    return any(sign in ours.error for sign in REFUSED_BY_US)
