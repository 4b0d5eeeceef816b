"""What goes wrong in a template, and how it becomes an error of agent-sync that names file, line, column and remedy.

The parser and the evaluator know only the fact (`TemplateError`); who walks the template adds the position.
"""

from __future__ import annotations

from agent_sync.errors import LimitExceeded, MissingVariable, Place, TransformFailed
from agent_sync_oci.text import printable_line, quoted

_LONGEST_WORD = 60
_LONGEST_LINE = 200


class TemplateError(Exception):
    """The template asks for something that the language or the value does not have."""

    def __init__(self, check: str, *, position: int | None = None, remedy: str | None = None) -> None:
        self.check = check
        self.position = position
        self.remedy = remedy
        super().__init__(check)


class MissingKey(TemplateError):
    """The template asks for a key that the data does not have."""


def as_error(fault: TemplateError, *, file: str, text: str, position: int) -> TransformFailed:
    """`fault` as the error to raise; `position` is used where the fault knows none."""
    position = position if fault.position is None else fault.position
    family = MissingVariable if isinstance(fault, MissingKey) else TransformFailed
    return family(
        subject=subject_of(file),
        check=fault.check,
        remedy=_remedy(fault, text, position),
        place=place_in(text, position, file=file),
    )


def as_limit_error(check: str, *, file: str, text: str, position: int) -> LimitExceeded:
    """The error for a template that costs more than its budget."""
    return LimitExceeded(
        subject=subject_of(file),
        check=check,
        remedy=f"make the template smaller, {_LEAVE_OUT}",
        place=place_in(text, position, file=file),
    )


def subject_of(file: str) -> str:
    """How `file` is named in a message."""
    return f"template {printable_line(file, longest=200)}"


def place_in(text: str, position: int, *, file: str) -> Place:
    """Line and column, both from 1 and in characters, of `position`; with the line's text if that is short."""
    position = min(position, len(text))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)] if position - start < _LONGEST_LINE else ""
    return Place(
        file=file,
        line=text.count("\n", 0, position) + 1,
        column=position - start + 1,
        text="".join(map(_visible, line[:_LONGEST_LINE])),
    )


def quoted_token(text: str) -> str:
    """`text` in quotes for a message, cut where it is long, escaped where it could harm a terminal."""
    return quoted(text, longest=_LONGEST_WORD)


_LEAVE_OUT = "or leave the file out with an `exclude:` glob in the transform"
_FOREIGN = (
    "`${{ ... }}` belongs to another tool, as in GitHub's workflows: leave the file out with an `exclude:` glob in the"
    ' transform, or write `{{"{{"}}` for two braces that are meant'
)


def _remedy(fault: TemplateError, text: str, position: int) -> str:
    if _is_foreign(text, position):
        return _FOREIGN
    if fault.remedy is not None:
        return fault.remedy
    if isinstance(fault, MissingKey):
        return f'declare it under `variables`, read it with `index . "key"` if it may be missing, {_LEAVE_OUT}'
    return f"correct the template, {_LEAVE_OUT}"


def _is_foreign(text: str, position: int) -> bool:
    """Whether the action at `position` starts with `${{`, which no template of ours would."""
    opening = text.rfind("{{", 0, position + 2)
    return opening > 0 and text[opening - 1] == "$"


def _visible(character: str) -> str:
    """One column for one character, so that a caret below the line stays in its place."""
    return character if character.isprintable() else " " if character == "\t" else "\ufffd"
