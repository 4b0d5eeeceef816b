"""What a plan comes to on the disk: changes of which each takes one rename."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from agent_sync.ports import Stat
from agent_sync.tree import Entry, RelPath


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file put in place, replaced or (`after` is None) taken away.

    `ours` is what may be lost of what stands there: what we wrote last, and nothing else. `stat` is what the file
    system said of it, if its times are old enough that an edit would show in them.
    """

    number: int
    path: RelPath
    source: str
    ours: Entry | None
    after: Entry | None
    stat: Stat | None = None


class Arrival(NamedTuple):
    """A file that comes with a new folder; `key` is its path in there."""

    key: RelPath
    entry: Entry
    source: str


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder that does not exist yet, with all its files: staged as a whole, it takes one rename, not thousands."""

    number: int
    path: RelPath
    files: tuple[Arrival, ...]


Change = FileChange | NewFolder
