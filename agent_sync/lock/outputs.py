"""The outputs of a lock: a pure function of its contents (docs/reference/lockfile.md, "Outputs"), and its orphans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from agent_sync.lock.model import Lock, Orphan, PackedTree, UrlPin
from agent_sync.tree import Entry, RelPath, Tree, join, sorted_paths

# -- The outputs of a lock: a pure function of it (docs/reference/lockfile.md, "Outputs").


class Output(NamedTuple):
    """One file that the lock puts into the project, and the source it comes from."""

    entry: Entry
    source: str


def outputs_of(lock: Lock) -> dict[RelPath, Output]:
    """Every output by path: each placement's files at `to` + key, then what overrides rendered replaces by path.

    Where two placements name one path, the later one holds: `update` refused that unless an override settles it.
    """
    outputs: dict[RelPath, Output] = {}
    results = {source.name: source.result for source in lock.sources}
    for placement in lock.outputs or ():
        for key, entry in results[placement.source].items():
            outputs[join(placement.to, key)] = Output(entry, placement.source)
    if lock.rendered is not None:
        for path, entry in lock.rendered.packed.files.items():
            outputs[path] = Output(entry, lock.rendered.owners[path])
    return outputs


def same_outputs(one: Lock, other: Lock) -> bool:
    """Whether both put the same files into the project; False is not certain, and only costs time."""
    return (one.sources, one.outputs, one.rendered) == (other.sources, other.outputs, other.rendered)


def outputs_tree(lock: Lock) -> Tree:
    """The same as one tree."""
    return Tree({path: output.entry for path, output in outputs_of(lock).items()})


def stored_parts(lock: Lock) -> Iterator[tuple[str, PackedTree | UrlPin]]:
    """Every part of the lock that has bytes of its own, with what it is: sources, their transforms, the overrides."""
    for source in lock.sources:
        yield f"source {source.name}", source.pin if isinstance(source.pin, UrlPin) else source.pin.packed
        if source.transformed is not None and source.transformed.packed is not None:
            yield f"source {source.name}, transformed", source.transformed.packed
    if lock.rendered is not None:
        yield "rendered files", lock.rendered.packed


# -- Files that an earlier lock put into the project and that nothing declares any more.


def with_orphans(before: Lock | None, after: Lock) -> Lock:
    """`after`, remembering also what `before` had written or remembered and `after` does not write."""
    if before is None:
        return after
    orphans = {orphan.path: orphan for orphan in (*after.orphans, *before.orphans)}
    if not same_outputs(before, after):
        orphans.update({path: Orphan(path, output.entry, output.source) for path, output in outputs_of(before).items()})
    if not orphans:
        return after
    outputs = outputs_of(after)
    left = [path for path in sorted_paths(orphans) if path not in outputs]
    return replace(after, orphans=tuple(orphans[path] for path in left))
