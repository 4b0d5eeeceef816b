"""The gate itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from agent_sync.errors import ContentRefused
from agent_sync.escaping import shown
from agent_sync.guard.executable_config import is_executable_config
from agent_sync.guard.hidden_text import find_hidden_text
from agent_sync.lock import LockedSource
from agent_sync.ports import Contents
from agent_sync.tree import RelPath, join

SHOWN = 5


def refuse_dangerous(
    source: LockedSource, folders: Iterable[RelPath], *, allow: Collection[str], contents: Contents
) -> None:
    """Nothing, if every file of the source may land in these folders. Its files are looked at as its transforms leave
    them.

    Raises: ContentRefused, naming files, what they are, and the word for `allow:` that lets them through.
    """
    if "executable-config" not in allow:
        _refuse(
            source,
            list(_executable(source, tuple(folders))),
            "is configuration that programs execute",
            "executable-config",
        )
    if "hidden-unicode" not in allow:
        _refuse(source, list(_hidden(source, contents)), "has text that is not shown", "hidden-unicode")


def _executable(source: LockedSource, folders: tuple[RelPath, ...]) -> Iterator[str]:
    for key in source.result:
        landing = [join(folder, key) for folder in folders] or [key]
        found = next((path for path in landing if is_executable_config(path)), None)
        if found is not None:
            yield shown(found)


def _hidden(source: LockedSource, contents: Contents) -> Iterator[str]:
    for key, entry in source.result.items():
        found = find_hidden_text(contents.glance(entry.sha256))
        if found is not None:
            yield f"{shown(key)} (line {found.line}, column {found.column}: {found.what})"


def _refuse(source: LockedSource, found: list[str], fault: str, word: str) -> None:
    if not found:
        return
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise ContentRefused(
        subject=f"source {source.name}",
        check=f"{', '.join(found[:SHOWN])}{more}: {fault}",
        remedy=f"look at it; leave it out with `exclude:`, or if it is meant add `allow: [{word}]` to the source",
    )
