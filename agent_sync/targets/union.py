"""Unite placed trees into one tree of outputs, where two sources meet only if an override decides (spec §6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent_sync.errors import AmbiguousOutput, UnsafePath
from agent_sync.lock import LockedSource, Placement
from agent_sync.lock.outputs import Output, place
from agent_sync.tree import RelPath, refuse_collisions
from agent_sync.tree.names import RESERVED_NAMES, fold
from agent_sync_oci.text import quoted


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
        coming = place(placement, sources[placement.source])
        both = outputs.keys() & coming.keys()
        for path in (path for path in coming if path in both) if both else ():
            first, second = outputs[path], coming[path]
            # Two tools may share a directory: the same file of the same source twice is one output.
            if (first.entry, first.source) != (second.entry, second.source) and not overridden(path):
                raise _ambiguous(path, first, second)
        outputs.update(coming)
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
