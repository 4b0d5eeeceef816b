"""Which folders are ours alone: an unexpected file there is drift, in a shared folder it is only listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent_sync.lock import Placement
from agent_sync.tree import ROOT, RelPath


@dataclass(frozen=True, slots=True)
class OwnedFolders:
    """Folders that placements name, each with whether it is shared with its user. The innermost one that holds a path
    decides.
    """

    shared: Mapping[RelPath, bool]

    def outermost(self) -> tuple[RelPath, ...]:
        """The folders that lie in no other one: looking through these sees every file once. The project's root is
        never among them, since the whole project is not ours to list.
        """
        folders = sorted(folder for folder in self.shared if folder != ROOT)
        return tuple(f for f in folders if not any(f.startswith(f"{other}/") for other in folders))

    def is_shared(self, path: RelPath) -> bool:
        """Whether `path` may be somebody else's."""
        folder = path
        while folder := RelPath(folder.rpartition("/")[0]):
            if folder in self.shared:
                return self.shared[folder]
        return True


def owned_folders(placements: Iterable[Placement]) -> OwnedFolders:
    """The folders of these placements; one that any placement shares is shared."""
    shared: dict[RelPath, bool] = {}
    for placement in placements:
        shared[placement.to] = shared.get(placement.to, False) or placement.shared
    return OwnedFolders(shared)
