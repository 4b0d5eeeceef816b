"""Refuse files that some program executes unasked, and text that people do not see but agents read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from agent_sync.errors import ContentRefused
from agent_sync.guard.hidden_text import find_hidden_text
from agent_sync.lock import LockedSource
from agent_sync.ports import Contents
from agent_sync.tree import RelPath, join
from agent_sync.tree.names import fold
from agent_sync_oci.text import quoted

# -- Files that an editor, an agent, git or a forge runs commands from as soon as they lie in a project.

# Each may lie at any depth: a directory of the project is somebody's workspace too. All lower-case; matched after
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
    """Whether a file at this output path is executable configuration, in any case variant."""
    if path.isascii() and not path.startswith(".") and "/." not in path:  # all of them have a name that begins so
        return False
    return _MATCH.fullmatch(fold(path)) is not None


# -- The gate itself.

SHOWN = 5


def refuse_dangerous(
    source: LockedSource, directories: Iterable[RelPath], *, allow: Collection[str], contents: Contents
) -> None:
    """Nothing, if every file of the source may land in these directories. Its files are looked at as its transforms
    leave them.

    Raises: ContentRefused, naming files, what they are, and the word for `allow:` that lets them through.
    """
    if "executable-config" not in allow:
        _refuse(
            source,
            list(_executable(source, tuple(directories))),
            "is configuration that programs execute",
            "executable-config",
        )
    if "hidden-unicode" not in allow:
        _refuse(source, list(_hidden(source, contents)), "has text that is not shown", "hidden-unicode")


def _executable(source: LockedSource, directories: tuple[RelPath, ...]) -> Iterator[str]:
    for key in source.result:
        landing = [join(directory, key) for directory in directories] or [key]
        found = next((path for path in landing if is_executable_config(path)), None)
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
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise ContentRefused(
        subject=f"source {source.name}",
        check=f"{', '.join(found[:SHOWN])}{more}: {fault}",
        remedy=f"look at it; leave it out with `exclude:`, or if it is meant add `allow: [{word}]` to the source",
    )
