"""Map targets and tools to placements, and placements to the directories they own (spec §3.2, §7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.lock import Placement
from agent_sync.tree import ROOT, RelPath

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.config.model import Target


# -- Targets and the tool map -> placements (spec §3.2, §7).


def placements(config: Config) -> tuple[Placement, ...]:
    """Every placement in the order of the targets and of the tools in each; one that repeats an earlier one is left
    out.
    """
    return tuple(dict.fromkeys(each for target in config.targets for each in _placements_of(target, config)))


def _placements_of(target: Target, config: Config) -> Iterator[Placement]:
    from agent_sync.config.effective import tool_directories

    if target.destination is not None:
        shared = target.shared or target.destination == ROOT  # the project's root is always shared with its owner
        yield Placement(target.source, target.destination, shared=shared)
        return
    places = tool_directories(config)
    for tool in target.tools:
        place = places[tool]
        yield Placement(target.source, place.destination, tool=tool, shared=target.shared or place.shared)


# -- Which directories are ours alone: an unexpected file there is drift, in a shared directory it is only listed.


@dataclass(frozen=True, slots=True)
class OwnedDirectories:
    """Directories that placements name, each with whether it is shared with its user. The innermost one that holds a
    path decides.
    """

    shared: Mapping[RelPath, bool]

    def outermost(self) -> tuple[RelPath, ...]:
        """The directories that lie in no other one: looking through these sees every file once. The project's root is
        never among them, since the whole project is not ours to list.
        """
        directories = sorted(directory for directory in self.shared if directory != ROOT)
        return tuple(f for f in directories if not any(f.startswith(f"{other}/") for other in directories))

    def is_shared(self, path: RelPath) -> bool:
        """Whether `path` may be somebody else's."""
        directory = path
        while directory := RelPath(directory.rpartition("/")[0]):
            if directory in self.shared:
                return self.shared[directory]
        return True


def owned_directories(placements: Iterable[Placement]) -> OwnedDirectories:
    """The directories of these placements; one that any placement shares is shared."""
    shared: dict[RelPath, bool] = {}
    for placement in placements:
        shared[placement.to] = shared.get(placement.to, False) or placement.shared
    return OwnedDirectories(shared)
