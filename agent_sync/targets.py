"""Where files go: map targets and tools to placements, and unite the placed trees (spec §3.2, §6.4, §7).

Pure: a placement is a source's name and a directory; nothing here looks at a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from agent_sync.errors import AmbiguousOutput, UnsafePath
from agent_sync.lock import LockedSource, Placement
from agent_sync.lock.model import Output, place
from agent_sync.tree import ROOT, RelPath, refuse_collisions
from agent_sync.tree.names import RESERVED_NAMES, fold
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.config.model import Target


def placements(config: Config) -> tuple[Placement, ...]:
    """Return every placement once, in the order of the targets and of the tools in each."""
    return tuple(dict.fromkeys(each for target in config.targets for each in _placements_of(target, config)))


def _placements_of(target: Target, config: Config) -> Iterator[Placement]:
    from agent_sync.config.effective import tool_directories

    if target.destination is not None:
        shared = target.shared or target.destination == ROOT  # the project's root is always shared with its owner
        yield Placement(target.source, target.destination, shared=shared)
        return
    directories = tool_directories(config)
    for tool in target.tools:
        directory = directories[tool]
        yield Placement(target.source, directory.destination, tool=tool, shared=target.shared or directory.shared)


# -- Owned directories: an unexpected file there is drift, in a shared directory it is only listed.


class OwnedDirectories(NamedTuple):
    """Directories that placements name, each with whether its user keeps other files there.

    The innermost one that holds a path decides.
    """

    shared: Mapping[RelPath, bool]

    def outermost(self) -> tuple[RelPath, ...]:
        """Return the directories that are in no other one: walking these sees every file once.

        The project's root is never among them, since the whole project is not ours to list.
        """
        directories = sorted(directory for directory in self.shared if directory != ROOT)
        return tuple(f for f in directories if not any(f.startswith(f"{other}/") for other in directories))

    def is_shared(self, path: RelPath) -> bool:
        """Tell whether `path` may be somebody else's."""
        directory = path
        while directory := RelPath(directory.rpartition("/")[0]):
            if directory in self.shared:
                return self.shared[directory]
        return True


def owned_directories(placements: Iterable[Placement]) -> OwnedDirectories:
    """Return the directories of these placements; one that any placement shares is shared."""
    shared: dict[RelPath, bool] = {}
    for placement in placements:
        shared[placement.to] = shared.get(placement.to, False) or placement.shared
    return OwnedDirectories(shared)


# -- Unite placed trees into one tree of outputs, where two sources meet only if an override decides (spec §6.4).


def override_matches(target: str, path: RelPath) -> bool:
    """Tell whether an override of `target` is for the output `path`: with a `/` the exact path, else the file name."""
    return path == target.removeprefix("./") if "/" in target else path.rpartition("/")[2] == target


def unite(
    placements: Iterable[Placement],
    sources: Mapping[str, LockedSource],
    *,
    overridden: Callable[[RelPath], bool],
) -> dict[RelPath, Output]:
    """Return every placed file by its output path.

    `overridden` tells whether an override decides what a path holds; then the last placement is its base.

    Raises:
        AmbiguousOutput: two sources, or two files of one source, want one path.
        UnsafePath: an output would be one of our own files, or two outputs are one file on some systems.
    """
    outputs: dict[RelPath, Output] = {}
    for placement in placements:
        placed = place(placement, sources[placement.source])
        both = outputs.keys() & placed.keys()
        for path in (path for path in placed if path in both) if both else ():
            first, second = outputs[path], placed[path]
            # Two tools may share a directory: the same file of the same source twice is one output.
            if (first.entry, first.source) != (second.entry, second.source) and not overridden(path):
                raise _ambiguous(path, first, second)
        outputs.update(placed)
    refuse_own_files(outputs)
    refuse_collisions(outputs, subject="the outputs")
    return outputs


def refuse_own_files(outputs: Mapping[RelPath, Output]) -> None:
    """Raise UnsafePath if an output is one of agent-sync's own files."""
    for path, output in outputs.items():
        if fold(path.partition("/")[0]) in RESERVED_NAMES:
            raise UnsafePath(
                subject=f"source {output.source}, output {quoted(path)}",
                check="the path belongs to agent-sync itself",
                remedy="choose another destination, or leave the file out with `exclude:`",
            )


def _ambiguous(path: RelPath, first: Output, second: Output) -> AmbiguousOutput:
    if first.source == second.source:
        keys = f"{quoted(first.key)} and {quoted(second.key)}"
        check = f"the files {keys} of source {quoted(first.source)} both have this path"
    else:
        check = f"the sources {_named(first)} and {_named(second)} both write this path"
    return AmbiguousOutput(
        subject=f"output {quoted(path)}",
        check=check,
        remedy="give one of them another tool or destination, leave the file out with `exclude:`, or decide with an"
        " entry under `overrides:` for this file",
    )


def _named(output: Output) -> str:
    """Name the source, and the tool that the placement is for: a destination alone does not tell which target it is."""
    tool = None if output.placement is None else output.placement.tool
    return quoted(output.source) if tool is None else f"{quoted(output.source)} (tool {tool})"
