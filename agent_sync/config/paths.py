"""Paths as a configuration spells them -> checked paths below the project root (spec §2.4, §8.1)."""

from __future__ import annotations

from agent_sync.errors import UnsafePath
from agent_sync.escaping import shown
from agent_sync.tree.names import ROOT, RelPath, fold, safe_path

OWN_NAMES = ("agent-sync.yaml", "agent-sync.lock", ".agent-sync")
_INSIDE = "write a path relative to the project root that stays below it, with `/` between the names"


def project_path(text: str, *, subject: str) -> RelPath:
    """The path that `text` means below the project root; `./x/`, `x/` and `x` are one path, `.` is the root itself.

    Raises:
        UnsafePath: it is empty, absolute, leaves the root, or bears a name that is not allowed.
    """
    if ".." in text.split("/"):
        check = f"the path {shown(text)} has `..` in it, which can lead out of the project"
        raise UnsafePath(subject=subject, check=check, remedy=_INSIDE)
    if text == "~" or text.startswith("~/"):
        check = f"the path {shown(text)} begins with `~`, which is not expanded"
        raise UnsafePath(subject=subject, check=check, remedy=_INSIDE)
    plain = text
    while plain.startswith("./"):
        plain = plain[2:]
    plain = plain.rstrip("/") if plain.strip("/") else plain
    if text and plain in ("", "."):
        return ROOT
    try:
        return safe_path(plain, subject=subject)
    except UnsafePath as error:
        raise UnsafePath(subject=subject, check=error.check, remedy=_INSIDE) from error


def output_folder(text: str, *, subject: str) -> RelPath:
    """The same for a folder that files are written to: it may not be one of agent-sync's own.

    Raises: UnsafePath.
    """
    path = project_path(text, subject=subject)
    if fold(path.partition("/")[0]) in OWN_NAMES:
        check = f"the path {shown(text)} belongs to agent-sync itself"
        raise UnsafePath(subject=subject, check=check, remedy="choose another folder")
    return path


def is_absolute(text: str) -> bool:
    """Whether `text` is an absolute path on some system, whichever this one is."""
    return text.startswith(("/", "\\")) or (len(text) > 2 and text[0].isalpha() and text[1] == ":" and text[2] in "/\\")
