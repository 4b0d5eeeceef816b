"""Preview actions as unified diffs: what a person would see change."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent_sync.plan.actions import Action
from agent_sync.ports import Contents, Directory
from agent_sync.tree import Entry, RelPath

MAX_DIFF_BYTES = 1_000_000
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would also split at U+2028, form feeds and more


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The unified diff of one path, from `a/` (what is there) to `b/` (what should be).

    Where none can be shown, for a binary or large file, `text` is a sentence.
    """

    path: RelPath
    text: str


def previews(actions: Iterable[Action], contents: Contents, project: Directory) -> Iterator[FileDiff]:
    """Yield a diff for each action, in order; raise what reading raises."""
    for action in actions:
        before = None if action.before is None else _on_disk(project, action.path)
        after = None if action.after is None else _beginning(contents.chunks(action.after.sha256))
        yield FileDiff(action.path, _diff(action, before, after))


def _on_disk(project: Directory, path: RelPath) -> bytes:
    with project.open(path) as file:
        return file.read(MAX_DIFF_BYTES + 1)


def _beginning(chunks: Iterable[bytes]) -> bytes:
    """Return as much as a diff can show and a little more.

    All chunks are asked for, since the digest is checked after the last one.
    """
    content = b""
    for chunk in chunks:
        if len(content) <= MAX_DIFF_BYTES:
            content += chunk
    return content


def _diff(action: Action, before: bytes | None, after: bytes | None) -> str:
    mode = _mode_line(action.before, action.after)
    if action.before is not None and action.after is not None and action.before.sha256 == action.after.sha256:
        return f"--- a/{action.path}\n+++ b/{action.path}\n{mode}" if mode else ""
    old, new = _lines(before), _lines(after)
    if old is None or new is None:
        return f"Binary or large file {action.path} differs\n"
    names = (
        "/dev/null" if before is None else f"a/{action.path}",
        "/dev/null" if after is None else f"b/{action.path}",
    )
    return mode + "".join(_ended(line) for line in difflib.unified_diff(old, new, *names))


def _mode_line(before: Entry | None, after: Entry | None) -> str:
    if before is None or after is None or before.executable == after.executable:
        return ""
    return f"executable: {_word(before)} -> {_word(after)}\n"


def _word(entry: Entry) -> str:
    return "yes" if entry.executable else "no"


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines, each with its end; None for a binary file or one too long to be read in a diff."""
    if content is None:
        return []
    if len(content) > MAX_DIFF_BYTES or b"\0" in content:
        return None
    try:
        return _LINE.findall(content.decode())
    except UnicodeDecodeError:
        return None


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
