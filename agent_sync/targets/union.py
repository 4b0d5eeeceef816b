"""Unite placed trees into one tree of outputs, where two sources meet only if an override decides (spec §6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent_sync.errors import AmbiguousOutput, UnsafePath
from agent_sync.lock import Placement
from agent_sync.lock.outputs import Output
from agent_sync.tree import ROOT, RelPath, Tree, refuse_collisions
from agent_sync.tree.names import RESERVED_NAMES, fold
from agent_sync_oci.text import quoted


def override_matches(target: str, path: RelPath) -> bool:
    """Whether an override of `target` is for the output `path`: with a `/` the exact path, without one the file
    name.
    """
    return path == target.removeprefix("./") if "/" in target else path.rpartition("/")[2] == target


def unite(
    placements: Iterable[Placement],
    results: Mapping[str, Tree],
    *,
    settled: Callable[[RelPath], bool],
) -> dict[RelPath, Output]:
    """Every placed file by its output path. `settled` says that an override decides what a path holds; then the last
    placement is its base.

    Raises:
        AmbiguousOutput: two sources, or two files of one source, want one path.
        UnsafePath: an output would be one of our own files, or two outputs are one file on some systems.
    """
    outputs: dict[RelPath, Output] = {}
    for placement in placements:
        coming = _place(placement, results[placement.source])
        both = outputs.keys() & coming.keys()
        for path in (path for path in coming if path in both) if both else ():
            if outputs[path] != coming[path] and not settled(path):
                raise _ambiguous(path, outputs[path], coming[path])
        outputs.update(coming)
    refuse_own_files(outputs)
    refuse_collisions(outputs, subject="the outputs")
    return outputs


def _place(placement: Placement, files: Tree) -> dict[RelPath, Output]:
    directory = "" if placement.to == ROOT else f"{placement.to}/"
    return {RelPath(directory + key): Output(entry, placement.source) for key, entry in files.items()}


def refuse_own_files(outputs: Mapping[RelPath, Output]) -> None:
    """Nothing, if no output lies where agent-sync's own files do; raises UnsafePath otherwise."""
    for path, output in outputs.items():
        if fold(path.partition("/")[0]) in RESERVED_NAMES:
            raise UnsafePath(
                subject=f"source {output.source}, output {quoted(path)}",
                check="the path belongs to agent-sync itself",
                remedy="choose another destination, or leave the file out with `exclude:`",
            )


def _ambiguous(path: RelPath, first: Output, second: Output) -> AmbiguousOutput:
    if first.source == second.source:
        check = f"two different files of the source {quoted(first.source)} want this path"
    else:
        check = f"the sources {quoted(first.source)} and {quoted(second.source)} both want this path"
    return AmbiguousOutput(
        subject=f"output {quoted(path)}",
        check=check,
        remedy="give one of them another tool or destination, leave the file out with `exclude:`, "
        "or settle it with an entry under `overrides:` for this file",
    )
