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


def as_error(error: TemplateError, *, file: str, text: str, position: int) -> TransformFailed:
    """Return `error` as the one to raise; `position` is used where the error knows none."""
    position = position if error.position is None else error.position
    family = MissingVariable if isinstance(error, MissingKey) else TransformFailed
    return family(
        subject=subject_of(file),
        check=error.check,
        remedy=_remedy(error, text, position),
        place=place_in(text, position, file=file),
    )


def as_limit_error(check: str, *, file: str, text: str, position: int) -> LimitExceeded:
    """Return the error for a template that costs more than its budget."""
    return LimitExceeded(
        subject=subject_of(file),
        check=check,
        remedy=f"make the template smaller, {_LEAVE_OUT}",
        place=place_in(text, position, file=file),
    )


def subject_of(file: str) -> str:
    """Return the subject of an error about `file`."""
    return f"template {printable_line(file, longest=200)}"


def place_in(text: str, position: int, *, file: str) -> Place:
    """Return the place of `position`, counted from 1 and in characters, with the line's text if that is short."""
    # An error at the end of the file points behind its last character.
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
    """Return `text` in quotes for a message, cut where it is long, escaped where it could harm a terminal."""
    return quoted(text, longest=_LONGEST_WORD)


_LEAVE_OUT = "or leave the file out with an `exclude:` glob in the transform"
_FOREIGN = (
    "`${{ ... }}` belongs to another tool, as in GitHub's workflows: leave the file out with an `exclude:` glob in the"
    ' transform, or write `{{"{{"}}` for two braces that are meant'
)


def _remedy(error: TemplateError, text: str, position: int) -> str:
    if _is_foreign(text, position):
        return _FOREIGN
    if error.remedy is not None:
        return error.remedy
    if isinstance(error, MissingKey):
        return f'declare it under `variables`, read it with `index . "key"` if it may be missing, {_LEAVE_OUT}'
    return f"correct the template, {_LEAVE_OUT}"


def _is_foreign(text: str, position: int) -> bool:
    """Tell whether the action at `position` starts with `${{`, which no template of ours would."""
    # The position may be that of the braces or of anything inside: look back for where they open.
    opening = text.rfind("{{", 0, position + 2)
    return opening > 0 and text[opening - 1] == "$"


def _visible(character: str) -> str:
    """Return one column for one character, so that a caret below the line is in the right place."""
    return character if character.isprintable() else " " if character == "\t" else "\ufffd"
