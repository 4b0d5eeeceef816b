"""A path as somebody typed it -> the same from the project's folder, spelled as an output's path is."""

from __future__ import annotations

import posixpath

from agent_sync.ports import Folder


def asked_path(text: str, project: Folder) -> str:
    """`.cursor/rules/a.md` for `./.cursor//rules/a.md` and for `/home/me/project/.cursor/rules/a.md`; `.` for all.

    What leads elsewhere is left as it is, for whoever takes the path to refuse.
    """
    plain = posixpath.normpath(text) if text else "."
    root = project.name.rstrip("/")
    if plain == root:
        return "."
    return plain.removeprefix(f"{root}/")
