"""Keys that no model knows: ignored with a warning (spec §14.3), unless a slip could switch a protection off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from agent_sync.config.model import GitSource
from agent_sync.config.problems import Path, problem, spelt
from agent_sync.config.security import LimitSettings, Security
from agent_sync.errors import AgentSyncError
from agent_sync.escaping import shown
from agent_sync.events import Warned

if TYPE_CHECKING:
    from agent_sync.documents import Document

_PROTECTING_SECTIONS = ("security", "trust", "limits")
_SLIP = 0.75
_HOME = {
    **dict.fromkeys(LimitSettings.model_fields, "limits"),
    **dict.fromkeys(Security.model_fields, "security"),
}


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that is not known where it stands, and those that are."""

    path: Path
    known: tuple[str, ...]

    @property
    def name(self) -> str:
        """The key itself."""
        return str(self.path[-1])

    @property
    def protecting(self) -> tuple[str, ...]:
        """The keys beside it that protect something."""
        above = self.path[:-1]
        if any(part in _PROTECTING_SECTIONS for part in above):
            return self.known
        return tuple(key for key in self.known if key in (*_PROTECTING_SECTIONS, "signed"))


def unknown_keys(model: BaseModel, data: Any, path: Path = ()) -> Iterator[UnknownKey]:  # noqa: ANN401
    """Every key of `data`, from which `model` was made, that the model has no field for."""
    for key, value in data.items():
        if key not in type(model).model_fields:
            yield UnknownKey((*path, key), tuple(type(model).model_fields))
            continue
        read = getattr(model, key)
        if isinstance(read, BaseModel) and isinstance(value, Mapping):
            yield from unknown_keys(read, value, (*path, key))
        elif isinstance(read, tuple) and isinstance(value, list | tuple):
            for index, (part, item) in enumerate(zip(read, value, strict=True)):
                if isinstance(part, BaseModel):
                    yield from unknown_keys(part, item, (*path, key, index))


def fault_of(unknown: UnknownKey, document: Document, *, strictly: bool) -> AgentSyncError | None:
    """The error for a key that may not be ignored: always with `strictly`, else where it looks like a protection."""
    near = _slip_for(unknown.name, unknown.protecting)
    home = _HOME.get(unknown.name)
    if near is not None:
        remedy = f"did you mean `{near}`? it is not ignored, since a slip here would switch a protection off"
    elif home is not None:
        on_a_source = " or on a git source" if unknown.name in GitSource.model_fields else ""
        remedy = f"put it under `{home}:`{on_a_source}; here it would protect nothing"
    elif strictly:
        remedy = f"known here are: {', '.join(unknown.known)}"
    else:
        return None
    check = f"the key {shown(unknown.name)} is not known here"
    return problem(document, unknown.path, check=check, remedy=remedy, key=True)


def _slip_for(name: str, protecting: Iterable[str]) -> str | None:
    """The protection that the name is meant for; stricter than a suggestion: `secrets` is no slip for `security`."""
    from difflib import SequenceMatcher

    from agent_sync.documents import closest

    near = closest(name, protecting)
    if near is None or SequenceMatcher(None, name.casefold(), near).ratio() < _SLIP:
        return None
    return near


def warning_of(unknown: UnknownKey, document: Document) -> Warned:
    """What is said of a key that is ignored."""
    from agent_sync.documents import closest

    near = closest(unknown.name, unknown.known)
    place = document.place(unknown.path, key=True)
    hint = f"; did you mean `{near}`?" if near is not None else ""
    where = spelt(unknown.path[:-1]) or "the file"
    message = f"the key {shown(unknown.name)} in {where} is not known and ignored{hint}"
    return Warned(rule="unknown-key", subject=f"{place}", message=message)
