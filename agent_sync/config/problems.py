"""Everything that is wrong with a configuration, each with its spot, and the one error that is raised for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agent_sync.errors import AgentSyncError, ConfigInvalid
from agent_sync.escaping import shown

if TYPE_CHECKING:
    from agent_sync.documents import Document

Path = tuple[str | int, ...]
"""The way to a value from the top of a file: keys of mappings and 0-based positions in lists."""

_SHOWN_PLACES = 5


def problem(
    document: Document,
    path: Path,
    *,
    check: str,
    remedy: str | None,
    error: type[AgentSyncError] = ConfigInvalid,
    key: bool = False,
) -> AgentSyncError:
    """The error for the value at `path`, or for its key; what is not there is shown at what would hold it."""
    return error(
        subject=f"{document.file}, {spelt(path)}" if path else document.file,
        check=check,
        remedy=remedy,
        place=document.place(path, key=key),
    )


def raise_first(problems: Iterable[AgentSyncError]) -> None:
    """Nothing, if there is no problem; else the first one, by file and line, is raised and names the others."""
    ordered = sorted(problems, key=_position)
    if not ordered:
        return
    first, others = ordered[0], ordered[1:]
    raise first.restated(check=f"{first.check} ({_more(others)})") if others else first


def spelt(path: Path) -> str:
    """`path` as people write it: `sources[2].checksum`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else shown(part)
            text += f".{name}" if text else name
    return text


def _position(error: AgentSyncError) -> tuple[str, int, int]:
    place = error.place
    return ("", 0, 0) if place is None else (place.file, place.line, place.column)


def _more(others: Sequence[AgentSyncError]) -> str:
    spots = [f"{each.place.file}:{each.place.line}" for each in others if each.place is not None]
    listed = ", ".join(dict.fromkeys(spots[:_SHOWN_PLACES])) + (", ..." if len(spots) > _SHOWN_PLACES else "")
    return f"and {len(others)} more problem{'s' if len(others) > 1 else ''}: {listed}"
