"""What a file may be called: relative, inside its folder, and the same file on every system.

A name arrives as text from a repository, a lock or a configuration; past this module it is a `RelPath`. Names are kept
byte for byte; a name that some system would read as another file is refused, on every system (CVE-2014-9390 and kin).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NewType

from agent_sync.errors import UnsafePath
from agent_sync.escaping import shown

RelPath = NewType("RelPath", str)
"""A checked path: POSIX, relative, without `.` and `..`; `ROOT` alone stands for the folder itself."""

ROOT = RelPath(".")
MAX_PATH_CHARACTERS = 1024
MAX_NAME_BYTES = 255

_REMEDY = "rename it at the source, or leave it out with `exclude:`"
_DEVICE = r"con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$"
_DEVICE_NAME = re.compile(rf"(?:{_DEVICE})\s*(?:\..*)?", re.IGNORECASE)
_UNUSUAL_CHARACTER = re.compile(r"[^A-Za-z0-9_./@+=,\n-]")
_DEVICE_LINE = re.compile(rf"\n(?:{_DEVICE})[\n.]")
# Format characters that no shown name needs: bidirectional controls, zero-width joiners, tags, soft hyphen, BOM.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def safe_path(text: str, *, subject: str) -> RelPath:
    """`text` as a path that is safe to use below any folder.

    Raises:
        UnsafePath: it is empty, absolute, too long, leaves its folder, or bears a name that is not allowed.
    """
    return safe_paths((text,), subject=subject)[0]


def safe_paths(texts: Sequence[str], *, subject: str) -> Sequence[RelPath]:
    """The same for many paths at once; as a rule a few searches over all of them decide."""
    clear = _plainly_harmless(texts)
    for text in texts:
        if not clear:
            _refuse_unsafe(text, subject)
        elif len(text) > MAX_NAME_BYTES:
            _refuse_long(text, subject)
    return texts  # type: ignore[return-value]  # each one has been checked: that is what makes it a RelPath


def join(folder: RelPath, key: RelPath) -> RelPath:
    """`folder` and `key` as one path; a folder `ROOT` adds nothing."""
    return key if folder == ROOT else RelPath(f"{folder}/{key}")


def parent(path: RelPath) -> RelPath:
    """The folder that holds `path`; `ROOT` for a name at the top."""
    return RelPath(path.rpartition("/")[0]) or ROOT


def fold(text: str) -> str:
    """What a case-insensitive, normalising file system takes `text` for."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).casefold())


def refuse_collisions(paths: Iterable[RelPath], *, subject: str) -> None:
    """Nothing, if no two paths are one file on some system, and no file is also a folder.

    Raises:
        UnsafePath: it names both paths.
    """
    paths = list(paths)
    if _plainly_apart(paths):
        return
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        if (other := files.setdefault(fold(path), path)) is not path:
            raise _collision(subject, other, path)
        _note_folders(path, folders, subject)
    for folded in files.keys() & folders.keys():
        raise _collision(subject, files[folded], folders[folded] + "/")


def _note_folders(path: str, folders: dict[str, str], subject: str) -> None:
    while folder := path.rpartition("/")[0]:
        known = folders.setdefault(fold(folder), folder)
        if known is not folder:
            if known != folder:
                raise _collision(subject, known + "/", folder + "/")
            return  # seen before, and so are its parents
        path = folder


def _plainly_apart(paths: Sequence[str]) -> bool:
    """Whether no two paths collide on any system; True is certain, False is not (it only costs time)."""
    joined = "\n".join(paths)
    if not joined.isascii() or joined.count("\n") != len(paths) - 1:
        return False
    files = set(joined.lower().split("\n"))
    folders: set[str] = set()
    above = {path.rpartition("/")[0] for path in paths}
    while above := above - folders - {""}:
        folders |= above
        above = {folder.rpartition("/")[0] for folder in above}
    folded = {folder.lower() for folder in folders}
    return len(files) == len(paths) and len(folded) == len(folders) and files.isdisjoint(folded)


def _plainly_harmless(texts: Sequence[str]) -> bool:
    """Whether nothing in any path needs a closer look; True is certain, False is not (it only costs time)."""
    joined = "\n".join(texts)
    if _UNUSUAL_CHARACTER.search(joined) is not None or joined.count("\n") != len(texts) - 1:
        return False
    names = "\n" + joined.replace("/", "\n").lower() + "\n"  # one name a line; an absolute path shows as an empty one
    return "\n\n" not in names and ".\n" not in names and "\n.git\n" not in names and not _DEVICE_LINE.search(names)


def _collision(subject: str, first: str, second: str) -> UnsafePath:
    return UnsafePath(
        subject=subject,
        check=f"{shown(first)} and {shown(second)} are the same file on some systems",
        remedy="rename one at the source, or leave it out with `exclude:`",
    )


def _refuse_long(path: str, subject: str) -> None:
    if len(path) > MAX_PATH_CHARACTERS:
        raise UnsafePath(
            subject=subject, check=f"the path {shown(path)} is longer than 1024 characters", remedy=_REMEDY
        )
    for name in path.split("/"):
        if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
            raise UnsafePath(subject=subject, check=f"the name {shown(name)} is longer than 255 bytes", remedy=_REMEDY)


def _refuse_unsafe(path: str, subject: str) -> None:
    fault = _fault(path)
    if fault is not None:
        raise UnsafePath(subject=subject, check=f"the path {shown(path)} {fault}", remedy=_REMEDY)
    _refuse_long(path, subject)


def _fault(path: str) -> str | None:
    if not path:
        return "is empty"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if "\\" in path:
        return "contains a backslash"
    for character in path:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or _INVISIBLE.match(character):
            return f"contains the character U+{ord(character):04X}, which is not shown"
    return next((fault for name in path.split("/") if (fault := _name_fault(name)) is not None), None)


def _name_fault(name: str) -> str | None:
    if name in ("", ".", ".."):
        return f"has the component {shown(name)}"
    if _is_git(name):
        return f"has the component {shown(name)}, which git or a file system takes for .git"
    if name[-1] in ". ":
        return f"has the component {shown(name)}, which ends in a dot or a space"
    if _DEVICE_NAME.fullmatch(name):
        return f"has the component {shown(name)}, which is a device on Windows"
    return None


def _is_git(name: str) -> bool:
    """Whether some file system opens `.git` under this name: HFS+ drops marks, NTFS trailing dots, spaces and
    streams.
    """
    plain = fold(name).split(":", 1)[0].rstrip(". ")
    return plain == ".git" or re.fullmatch(r"\.?git~[0-9]+", plain) is not None
