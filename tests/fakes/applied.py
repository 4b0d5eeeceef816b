"""Applied state in memory."""

from __future__ import annotations

from agent_sync.ports import Directory
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest


class MemoryAppliedState:
    """Implements `ports.AppliedState`: every state that was ever in force, the last one at the end."""

    def __init__(self, directory: Directory) -> None:
        self.states: list[bytes] = []
        self._directory = directory

    def read(self) -> bytes | None:
        return self.states[-1] if self.states else None

    def written_at_s(self) -> float | None:
        return float(len(self.states)) if self.states else None

    def commit(self, staged: RelPath) -> None:
        with self._directory.open(staged) as file:
            content = file.read()
        self._directory.remove(staged)
        self.states.append(content)

    def write(self, content: bytes) -> None:
        if content != self.read():
            self.states.append(content)

    def witness(self) -> Digest | None:
        content = self.read()
        return None if content is None else Digest.of(content)
