"""The content gate: refuse files that could act by themselves, at `update`.

Two things are looked for: files that some program executes without being asked, and text that people do not see but
agents read, which carries instructions past a reviewer ("Trojan Source", CVE-2021-42574). A source may be allowed
either, by name (`allow:`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from agent_sync.errors import ContentRefused
from agent_sync.lock import LockedSource
from agent_sync.ports import Contents
from agent_sync.tree import RelPath, join
from agent_sync.tree.names import fold
from agent_sync_oci.text import BIDI_CONTROLS, TAGS, VARIATION_SELECTORS, ZERO_WIDTH, quoted

_MOST_NAMED = 5


def refuse_dangerous(
    source: LockedSource, directories: Iterable[RelPath], *, allow: Collection[str], contents: Contents
) -> None:
    """Raise ContentRefused unless every file of the source may be written to these directories.

    The files are judged as the source's transforms leave them. The error names files, what they are, and the word for
    `allow:` that lets them through.
    """
    if "executable-config" not in allow:
        found = list(_executable(source, tuple(directories)))
        _refuse(source, found, "programs execute this configuration", "executable-config")
    if "hidden-unicode" not in allow:
        _refuse(source, list(_hidden(source, contents)), "hidden text was found", "hidden-unicode")


def _executable(source: LockedSource, directories: tuple[RelPath, ...]) -> Iterator[str]:
    for key in source.result:
        # Judged by where it would be written: `.cursor/` may be part of the key or of the destination.
        outputs = [join(directory, key) for directory in directories] or [key]
        found = next((path for path in outputs if is_executable_config(path)), None)
        if found is not None:
            yield quoted(found)


def _hidden(source: LockedSource, contents: Contents) -> Iterator[str]:
    for key, entry in source.result.items():
        found = find_hidden_text(contents.peek(entry.sha256))
        if found is not None:
            yield f"{quoted(key)} (line {found.line}, column {found.column}: {found.what})"


def _refuse(source: LockedSource, found: list[str], fault: str, word: str) -> None:
    if not found:
        return
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    raise ContentRefused(
        subject=f"source {source.name}",
        check=f"{fault}: {', '.join(found[:_MOST_NAMED])}{more}",
        remedy=f"review the file; leave it out with `exclude:`, or, if intended, add `allow: [{word}]` to the source",
    )


# -- Executable configuration: files that an editor, an agent, git or a forge runs commands from.

# Each counts at any depth: a directory of the project is somebody's workspace too. All lower-case; matched after
# folding.
_FILES = (
    r"\.mcp\.json",
    r"\.claude/settings(?:\.local)?\.json",
    r"\.claude/hooks/.+",
    r"\.cursor/(?:mcp|hooks|environment)\.json",
    r"\.codex/config\.toml",
    r"\.gemini/settings\.json",
    r"\.windsurf/hooks\.json",
    r"\.vscode/(?:tasks|launch|settings|mcp)\.json",
    r"\.idea/runconfigurations/.+",
    r"\.devcontainer(?:/.*)?/devcontainer\.json",
    r"\.devcontainer\.json",
    r"\.github/(?:workflows|actions)/.+",
    r"\.gitlab-ci\.yml",
    r"\.circleci/.+",
    r"\.husky/.+",
    r"\.pre-commit-config\.yaml",
    r"\.envrc",
    r"\.gitmodules",
    r"\.gitattributes",
)
_MATCH = re.compile(rf"(?:.*/)?(?:{'|'.join(_FILES)})")


def is_executable_config(path: RelPath) -> bool:
    """Tell whether a file at this output path is executable configuration, in any case variant."""
    if path.isascii() and not path.startswith(".") and "/." not in path:  # all of them have a name that begins so
        return False
    return _MATCH.fullmatch(fold(path)) is not None


# -- Hidden text: characters that are not shown but are read.

# A flag like that of Scotland is a black flag, letters as tags, and a cancel tag (Unicode TR 51, ED-14a): the one
# honest use of tags.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
_HIDDEN = (
    ("tag characters", f"[{TAGS}]+"),
    ("bidirectional overrides", f"[{BIDI_CONTROLS}]"),
    ("a run of variation selectors", f"[{VARIATION_SELECTORS}]{{2,}}"),
    ("a run of zero-width characters", f"[{ZERO_WIDTH}]{{4,}}"),
)
# The UTF-8 bytes of all of these, by the first one: text without them, which is nearly all, needs no decoding.
_POSSIBLE = {
    0xE2: re.compile(rb"\xe2(?:\x80[\x8b-\x8d\xaa-\xae]|\x81[\xa0-\xa9])"),
    0xEF: re.compile(rb"\xef(?:\xb8[\x80-\x8f]|\xbb\xbf)"),
    0xF3: re.compile(rb"\xf3\xa0"),
}
# What stands at the end of a piece may go on in the next one. No flag is as long as this.
_OPEN_END = re.compile(f"[\U0001f3f4{TAGS}{BIDI_CONTROLS}{VARIATION_SELECTORS}{ZERO_WIDTH}]*\\Z")
_LONGEST = 64
_Decoder = codecs.getincrementaldecoder("utf-8")


class HiddenText(NamedTuple):
    """What was found, and where: 1-based line and column, in characters."""

    what: str
    line: int
    column: int


def find_hidden_text(chunks: Iterable[bytes]) -> HiddenText | None:
    """Return the first hidden text in a file that could smuggle instructions; None for honest text, and for no UTF-8.

    A NUL makes no file binary here: whoever reads text reads on past it. No more than a chunk is held, and none is
    asked for after one that is no UTF-8.
    """
    remaining = iter(chunks)
    first = next(remaining, b"")
    second = next(remaining, None)
    if second is None and not _is_possible_in(first):
        return None
    try:
        return _find(_texts(chain((first, second or b""), remaining)))
    except UnicodeDecodeError:
        return None


def _is_possible_in(content: bytes) -> bool:
    if content.isascii():
        return False
    return any(lead in content and pattern.search(content) for lead, pattern in _POSSIBLE.items())


def _find(texts: Iterable[str]) -> HiddenText | None:
    found = None
    line = column = 1
    for text in texts:
        if found is None and not text.isascii():
            found = _first_in(text, line, column)
        newlines = text.count("\n")
        line += newlines
        column = len(text) - text.rfind("\n") if newlines else column + len(text)
    return found


def _first_in(text: str, line: int, column: int) -> HiddenText | None:
    """Return the first in a piece that begins at this line and column."""
    plain = re.sub(_FLAG, lambda flag: "\U0001f3f4" + "." * (len(flag[0]) - 1), text)
    hits = [(match.start(), what) for what, pattern in _HIDDEN if (match := re.search(pattern, plain))]
    if not hits:
        return None
    start, what = min(hits)
    newlines = plain.count("\n", 0, start)
    return HiddenText(what, line + newlines, start - plain.rfind("\n", 0, start) if newlines else column + start)


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the text in pieces that no flag and no run of hidden characters goes across."""
    decode = _Decoder().decode
    rest = ""
    for chunk in chunks:
        text = rest + decode(chunk)
        end = len(text)
        if not text.isascii() and (open_end := _OPEN_END.search(text, max(0, end - _LONGEST))) is not None:
            end = open_end.start()
        yield text[:end]
        rest = text[end:]
    yield rest + decode(b"", final=True)
