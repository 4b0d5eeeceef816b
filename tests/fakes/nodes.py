"""What a directory in memory is made of."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from agent_sync.ports import Kind, Stat

_inodes = itertools.count(1)
_moments = itertools.count(1)


def now_ns() -> int:
    """A moment after every moment before, a second later each; all of them long past."""
    return next(_moments) * 1_000_000_000


@dataclass(eq=False)
class Node:
    """Anything that stands at a name."""

    kind: Kind
    content: bytearray = field(default_factory=bytearray)
    executable: bool = False
    entries: dict[str, Node] = field(default_factory=dict)
    disk: int = 0
    inode: int = field(default_factory=lambda: next(_inodes))
    changed_ns: int = field(default_factory=now_ns)
    modified_ns: int = field(default_factory=now_ns)

    def stat(self) -> Stat:
        return Stat(self.kind, len(self.content), self.executable, self.changed_ns, self.modified_ns, self.inode)

    def write(self, content: bytes) -> None:
        """In place, as an editor does that truncates."""
        self.content[:] = content
        self.changed_ns = self.modified_ns = now_ns()

    def touch(self) -> None:
        """Its names have changed, not its content."""
        self.changed_ns = now_ns()
