"""Compare desired, recorded and actual files path by path, plan an action for each difference, and preview it.

A plan is a value that can be printed, compared and applied.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from agent_sync.errors import AgentSyncError, FileSystemError, UnsafePath
from agent_sync.lock import Orphan
from agent_sync.lock.model import Output
from agent_sync.plan.drift import Observed
from agent_sync.ports import Contents, Directory, Kind, Stat
from agent_sync.tree import Entry, RelPath, Sha256, sorted_paths
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted


class Step(Enum):
    """What happens to one path."""

    CREATE = "create"
    REPLACE = "replace"
    REMOVE = "remove"


class Action(NamedTuple):
    """One path that has to change, and the source that is the reason.

    `before` is what is there now and `after` what will be (None: nothing). `edited` says that what is there is neither
    absent nor what we wrote last, so that it must be kept. `stat` is what the file system said when `before` was
    hashed, so that applying need not hash it again to know that it is still the same.
    """

    step: Step
    path: RelPath
    source: str
    before: Entry | None
    after: Entry | None
    edited: bool = False
    stat: Stat | None = None


@record
class Plan:
    """All that a sync changes, in the order of the paths.

    `kept_back` are files that would be removed, but were edited since we wrote them: they stay.
    """

    actions: tuple[Action, ...] = ()
    kept_back: tuple[RelPath, ...] = ()

    @property
    def needed(self) -> set[Sha256]:
        """The digests of the files that applying the plan writes."""
        return {action.after.sha256 for action in self.actions if action.after is not None}


# -- Planning: pure, nothing here looks at a disk.


def build(
    desired: Mapping[RelPath, Output],
    recorded: Mapping[RelPath, Entry],
    observed: Observed,
    *,
    remove: Mapping[RelPath, Orphan],
) -> Plan:
    """Return the plan that makes the disk what is desired, its actions in path order.

    `recorded` is what was written last: what differs from it is somebody's edit. `remove` are the orphans that are to
    go; those that were edited stay, and the plan says so.

    Raises: UnsafePath where a target is a symbolic link, FileSystemError where it is a directory or a device.
    """
    _refuse_obstacles(desired, observed)
    actions = {action.path: action for action in _writes(desired, recorded, observed)}
    edited = edited_orphans(remove, recorded, observed)
    for path, orphan in remove.items():
        actual = observed.files.get(path)
        if actual is not None and path not in edited:
            actions[path] = Action(Step.REMOVE, path, orphan.source, actual, None, stat=observed.stats[path])
    return Plan(tuple(actions[path] for path in sorted_paths(actions)), tuple(sorted_paths(edited)))


def edited_orphans(
    orphans: Mapping[RelPath, Orphan], recorded: Mapping[RelPath, Entry], observed: Observed
) -> frozenset[RelPath]:
    """Return the orphans that are there and are not what was written: only their owner may remove them."""
    found = {path: observed.files.get(path) for path in orphans}
    return frozenset(
        path
        for path, actual in found.items()
        if path in observed.obstacles
        or (actual is not None and actual not in (orphans[path].entry, recorded.get(path)))
    )


def _writes(
    desired: Mapping[RelPath, Output], recorded: Mapping[RelPath, Entry], observed: Observed
) -> Iterator[Action]:
    for path, output in desired.items():
        entry, source = output.entry, output.source
        actual = observed.files.get(path)
        if actual is None:
            yield Action(Step.CREATE, path, source, None, entry)
        elif actual != entry:
            # What we wrote last may be replaced unasked; anything else is somebody's work and is kept.
            edited = actual != recorded.get(path)
            yield Action(Step.REPLACE, path, source, actual, entry, edited=edited, stat=observed.stats[path])


def _refuse_obstacles(desired: Mapping[RelPath, Output], observed: Observed) -> None:
    for path, kind in observed.obstacles.items():
        if path in desired:
            raise _obstacle(path, kind, desired[path].source)


def _obstacle(path: RelPath, kind: Kind, source: str) -> AgentSyncError:
    subject = f"source {source}, output {quoted(path)}"
    if kind is Kind.LINK:
        return UnsafePath(
            subject=subject,
            check="a symbolic link is in the way, and agent-sync never writes through one",
            remedy="remove the link, or give the source another destination",
        )
    what = "a directory" if kind is Kind.DIRECTORY else "a special file"
    return FileSystemError(
        subject=subject, check=f"{what} is in the way", remedy="move it away, or give the source another destination"
    )


# -- Preview: actions as unified diffs, which is what a person would see change.

MAX_DIFF_BYTES = 1_000_000
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would also split at U+2028, form feeds and more


class FileDiff(NamedTuple):
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
    # difflib takes quadratic time, and a NUL is how git and diff tell binary files.
    if len(content) > MAX_DIFF_BYTES or b"\0" in content:
        return None
    try:
        return _LINE.findall(content.decode())
    except UnicodeDecodeError:
        return None


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
