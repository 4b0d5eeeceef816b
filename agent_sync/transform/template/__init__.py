"""The language of Go's text/template, over data only: no method, no file, no network, no code (spec §6.1).

In go a text and the values of variables; out comes the text with its actions replaced, or an error that names file,
line and column. The work one template may cause is bounded by a `Budget`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_sync.transform.template.budget import Budget
from agent_sync.transform.template.evaluator import execute
from agent_sync.transform.template.nodes import Template
from agent_sync.transform.template.parser import parse
from agent_sync.transform.template.values import Value

__all__ = ["render", "parse", "execute", "Template", "Value", "Budget"]


def render(text: str, *, file: str, data: Mapping[str, Value], budget: Budget | None = None) -> str:
    """Return `text` with its actions replaced; unchanged, and at once, if it has none. `file` is its name in errors.

    Raises:
        MissingVariable: a key is used that `data` does not have.
        TransformFailed: the text is not in the template language, or asks for what its values cannot do.
        LimitExceeded: it costs more than `budget` (or `Budget()`) allows.
    """
    if "{{" not in text:
        return text
    return execute(parse(text, file=file, budget=budget), data=data, budget=budget)
