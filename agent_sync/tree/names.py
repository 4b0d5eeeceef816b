"""What a file may be called: relative, inside its directory, and the same file on every system; and globs over names.

A name arrives as text from a repository, a lock or a configuration; past this module it is a `RelPath`. Names are kept
byte for byte; a name that some system would read as another file is refused, on every system (CVE-2014-9390 and kin).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NewType

from agent_sync.errors import UnsafePath
from agent_sync_oci.text import BIDI_CONTROLS, BIDI_MARKS, FILLERS, ZERO_WIDTH, quoted

RelPath = NewType("RelPath", str)
"""A checked path: POSIX, relative, without `.` and `..`; `ROOT` alone stands for the directory itself."""

ROOT = RelPath(".")
MAX_PATH_CHARACTERS = 1024
MAX_NAME_BYTES = 255

_REMEDY = "rename it at the source, or leave it out with `exclude:`"
_DEVICE = r"con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$"
_DEVICE_NAME = rf"(?i)(?:{_DEVICE})\s*(?:\..*)?"
_UNUSUAL_CHARACTER = re.compile(r"[^A-Za-z0-9_./@+=,\n-]")
_DEVICE_LINE = re.compile(rf"\n(?:{_DEVICE})[\n.]")
# Format characters that no shown name needs: bidirectional controls, zero-width joiners, tags, soft hyphen, BOM.
_INVISIBLE = f"[{BIDI_CONTROLS}{BIDI_MARKS}{ZERO_WIDTH}{FILLERS}]"


def safe_path(text: str, *, subject: str) -> RelPath:
    """Return `text` as a path that is safe to use below any directory.

    Raises:
        UnsafePath: it is empty, absolute, too long, leaves its directory, or bears a name that is not allowed.
    """
    return safe_paths((text,), subject=subject)[0]


def safe_paths(texts: Sequence[str], *, subject: str) -> Sequence[RelPath]:
    """Check many paths at once; as a rule a few searches over all of them decide."""
    clear = _plainly_harmless(texts)
    for text in texts:
        if not clear:
            _refuse_unsafe(text, subject)
        elif len(text) > MAX_NAME_BYTES:
            _refuse_long(text, subject)
    return texts  # type: ignore[return-value]  # each one has been checked: that is what makes it a RelPath


def join(directory: RelPath, key: RelPath) -> RelPath:
    """Return `directory` and `key` as one path; a directory `ROOT` adds nothing."""
    return key if directory == ROOT else RelPath(f"{directory}/{key}")


def parent(path: RelPath) -> RelPath:
    """Return the directory that holds `path`; `ROOT` for a name at the top."""
    return RelPath(path.rpartition("/")[0]) or ROOT


def fold(text: str) -> str:
    """Return what a case-insensitive, normalizing file system takes `text` for."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).casefold())


def refuse_collisions(paths: Iterable[RelPath], *, subject: str) -> None:
    """Raise UnsafePath if two paths are one file on some system, or a file is also a directory.

    Raises:
        UnsafePath: it names both paths.
    """
    paths = list(paths)
    if _plainly_apart(paths):
        return
    files: dict[str, str] = {}
    directories: dict[str, str] = {}
    for path in paths:
        if (other := files.setdefault(fold(path), path)) is not path:
            raise _collision(subject, other, path)
        _note_directories(path, directories, subject)
    for folded in files.keys() & directories.keys():
        raise _collision(subject, files[folded], directories[folded] + "/")


def _note_directories(path: str, directories: dict[str, str], subject: str) -> None:
    while directory := path.rpartition("/")[0]:
        known = directories.setdefault(fold(directory), directory)
        if known is not directory:
            if known != directory:
                raise _collision(subject, known + "/", directory + "/")
            return  # seen before, and so are its parents
        path = directory


def _plainly_apart(paths: Sequence[str]) -> bool:
    """Tell whether no two paths collide on any system; True is certain, False is not (it only costs time)."""
    joined = "\n".join(paths)
    if not joined.isascii() or joined.count("\n") != len(paths) - 1:
        return False
    files = set(joined.lower().split("\n"))
    directories: set[str] = set()
    above = {path.rpartition("/")[0] for path in paths}
    while above := above - directories - {""}:
        directories |= above
        above = {directory.rpartition("/")[0] for directory in above}
    folded = {directory.lower() for directory in directories}
    return len(files) == len(paths) and len(folded) == len(directories) and files.isdisjoint(folded)


def _plainly_harmless(texts: Sequence[str]) -> bool:
    """Tell whether no path needs a closer look; True is certain, False is not (it only costs time)."""
    joined = "\n".join(texts)
    if _UNUSUAL_CHARACTER.search(joined) is not None or joined.count("\n") != len(texts) - 1:
        return False
    names = "\n" + joined.replace("/", "\n").lower() + "\n"  # one name a line; an absolute path shows as an empty one
    return "\n\n" not in names and ".\n" not in names and "\n.git\n" not in names and not _DEVICE_LINE.search(names)


def _collision(subject: str, first: str, second: str) -> UnsafePath:
    return UnsafePath(
        subject=subject,
        check=f"{quoted(first)} and {quoted(second)} are the same file on some systems",
        remedy="rename one at the source, or leave it out with `exclude:`",
    )


def _refuse_long(path: str, subject: str) -> None:
    if len(path) > MAX_PATH_CHARACTERS:
        raise UnsafePath(
            subject=subject, check=f"the path {quoted(path)} is longer than 1024 characters", remedy=_REMEDY
        )
    for name in path.split("/"):
        if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
            raise UnsafePath(subject=subject, check=f"the name {quoted(name)} is longer than 255 bytes", remedy=_REMEDY)


def _refuse_unsafe(path: str, subject: str) -> None:
    fault = _fault(path)
    if fault is not None:
        raise UnsafePath(subject=subject, check=f"the path {quoted(path)} {fault}", remedy=_REMEDY)
    _refuse_long(path, subject)


def _fault(path: str) -> str | None:
    if not path:
        return "is empty"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if "\\" in path:
        return "contains a backslash"
    for character in path:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or re.match(_INVISIBLE, character):
            return f"contains the character U+{ord(character):04X}, which is not shown"
    return next((fault for name in path.split("/") if (fault := _name_fault(name)) is not None), None)


def _name_fault(name: str) -> str | None:
    if name in ("", ".", ".."):
        return f"has the component {quoted(name)}"
    if _is_git(name):
        return f"has the component {quoted(name)}, which git or a file system takes for .git"
    if name[-1] in ". ":
        return f"has the component {quoted(name)}, which ends in a dot or a space"
    if re.fullmatch(_DEVICE_NAME, name):
        return f"has the component {quoted(name)}, which is a device on Windows"
    return None


def _is_git(name: str) -> bool:
    """Tell whether some file system opens `.git` under this name.

    HFS+ drops invisible marks, NTFS trailing dots, spaces and streams, and both have short names such as `GIT~1`.
    """
    plain = fold(name).split(":", 1)[0].rstrip(". ")
    return plain == ".git" or re.fullmatch(r"\.?git~[0-9]+", plain) is not None


# -- Paths as a configuration writes them, checked to be below the project root (spec §2.4, §8.1).

RESERVED_NAMES = ("agent-sync.yaml", "agent-sync.lock", ".agent-sync")
_STAY_INSIDE = "write a path relative to the project root that stays below it, with `/` between the names"


def project_path(text: str, *, subject: str) -> RelPath:
    """Return the path below the project root; `./x/`, `x/` and `x` are one path, `.` is the root itself.

    Raises:
        UnsafePath: it is empty, absolute, leaves the root, or bears a name that is not allowed.
    """
    if ".." in text.split("/"):
        check = f"the path {quoted(text)} has `..` in it, which can lead out of the project"
        raise UnsafePath(subject=subject, check=check, remedy=_STAY_INSIDE)
    if text == "~" or text.startswith("~/"):
        check = f"the path {quoted(text)} begins with `~`, which is not expanded"
        raise UnsafePath(subject=subject, check=check, remedy=_STAY_INSIDE)
    plain = text
    while plain.startswith("./"):
        plain = plain[2:]
    plain = plain.rstrip("/") if plain.strip("/") else plain
    if text and plain in ("", "."):
        return ROOT
    try:
        return safe_path(plain, subject=subject)
    except UnsafePath as error:
        raise UnsafePath(subject=subject, check=error.check, remedy=_STAY_INSIDE) from error


def output_directory(text: str, *, subject: str) -> RelPath:
    """Return the same for a directory that files are written to: it may not be one of agent-sync's own.

    Raises: UnsafePath.
    """
    path = project_path(text, subject=subject)
    if fold(path.partition("/")[0]) in RESERVED_NAMES:
        check = f"the path {quoted(text)} belongs to agent-sync itself"
        raise UnsafePath(subject=subject, check=check, remedy="choose another directory")
    return path


def is_absolute(text: str) -> bool:
    """Tell whether `text` is an absolute path on some system, whichever this one is."""
    return text.startswith(("/", "\\")) or (len(text) > 2 and text[0].isalpha() and text[1] == ":" and text[2] in "/\\")


# -- Globs. Users have no regular expressions, and a pattern always matches a whole path: a prefix never passes.


class Globs:
    """Several patterns; a path is in it if one of them matches.

    `*` stays within one name, `**` crosses directories, `?` and `[...]` are one character. A pattern that ends in `/`
    means everything below that directory.
    """

    __slots__ = ("_any", "_matches")

    def __init__(self, patterns: Iterable[str]) -> None:
        alternatives = "|".join(_translate(pattern) for pattern in patterns)
        self._any = bool(alternatives)
        self._matches = re.compile(alternatives or r"(?!)", re.DOTALL).fullmatch

    def __bool__(self) -> bool:
        return self._any

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._matches(path) is not None


@lru_cache(maxsize=1024)
def _translate(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\])", pattern + ("**" if pattern.endswith("/") else ""))
    return "".join(_glob_part(part) for part in parts)


def _glob_part(part: str) -> str:
    match part:
        case "**/":
            return "(?:[^/]+/)*"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _:
            return _literal_or_class(part)


def _literal_or_class(part: str) -> str:
    if len(part) > 2 and part[0] == "[" and part[-1] == "]":
        negated = part[1] == "!"
        return f"(?!/)[{'^' if negated else ''}{_character_class(part[2 if negated else 1 : -1])}]"
    return re.escape(part)


def _character_class(characters: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", characters)
