"""The outputs of a lock: a pure function of its contents (docs/reference/lockfile.md, "Outputs"), and its orphans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from agent_sync.lock.model import Lock, LockedSource, Orphan, Placement
from agent_sync.sources.content import Content
from agent_sync.tree import ROOT, Entry, RelPath, Tree, sorted_paths


class Derivation(Enum):
    """What made the bytes of an output."""

    SOURCE = "source"
    TRANSFORM = "transform"
    OVERRIDE = "override"


class OwnerLayer(Enum):
    """Whose output it is: every checkout's, or only here because of the user's own layers of configuration."""

    SHARED = "shared"
    INHERITED = "inherited"


class Output(NamedTuple):
    """One file that the lock puts into the project, and where it comes from.

    `key` is the file's path in the source as its transforms leave it, and `placement` what put it where it is (None for
    a file that an override made where no source places one, as only a lock of somebody else's making can say).
    """

    entry: Entry
    source: str
    key: RelPath
    placement: Placement | None
    derivation: Derivation = Derivation.SOURCE
    layer: OwnerLayer = OwnerLayer.SHARED


def place(
    placement: Placement, source: LockedSource, *, layer: OwnerLayer = OwnerLayer.SHARED
) -> dict[RelPath, Output]:
    """Return the outputs of one placement of `source`, by path."""
    directory = "" if placement.to == ROOT else f"{placement.to}/"
    packed = None if source.transformed is None else source.transformed.packed
    transformed = frozenset[RelPath]() if packed is None else packed.files.keys()
    name = source.name
    return {
        RelPath(directory + key): Output(
            entry, name, key, placement, Derivation.TRANSFORM if key in transformed else Derivation.SOURCE, layer
        )
        for key, entry in source.result.items()
    }


def outputs_of(lock: Lock, *, shared: Lock | None = None) -> dict[RelPath, Output]:
    """Return every output by path: each placement's files, then what overrides derived replaces by path.

    Where two placements name one path, the later one holds: `update` refused that unless an override decides. `shared`
    is the committed lock where the user's own layers are laid over it: what it does not have is inherited.
    """
    outputs: dict[RelPath, Output] = {}
    sources = {source.name: source for source in lock.sources}
    common = _Common(lock, lock if shared is None else shared)
    for placement in lock.outputs or ():
        outputs.update(place(placement, sources[placement.source], layer=common.layer(placement)))
    if lock.rendered is not None:
        for path, entry in lock.rendered.packed.files.items():
            outputs[path] = _overridden(outputs.get(path), path, entry, lock.rendered.owners[path], common)
    return outputs


class _Common:
    """What a lock has in common with the shared one that it is laid over."""

    def __init__(self, lock: Lock, shared: Lock) -> None:
        sources = {source.name: source for source in shared.sources}
        self._sources = {source.name for source in lock.sources if sources.get(source.name) == source}
        self._placements = frozenset(shared.outputs or ())
        self._overridden = Tree() if shared.rendered is None else shared.rendered.packed.files

    def layer(self, placement: Placement) -> OwnerLayer:
        """Return the layer of a placement's outputs."""
        is_shared = placement.source in self._sources and placement in self._placements
        return OwnerLayer.SHARED if is_shared else OwnerLayer.INHERITED

    def layer_of_override(self, path: RelPath, entry: Entry) -> OwnerLayer:
        """Return the layer of an output that an override made."""
        return OwnerLayer.SHARED if self._overridden.get(path) == entry else OwnerLayer.INHERITED


def _overridden(base: Output | None, path: RelPath, entry: Entry, owner: str, common: _Common) -> Output:
    layer = common.layer_of_override(path, entry)
    key, placement = (path, None) if base is None else (base.key, base.placement)
    return Output(entry, owner, key, placement, Derivation.OVERRIDE, layer)


def same_outputs(one: Lock, other: Lock) -> bool:
    """Return whether both put the same files into the project; False is not certain, and only costs time."""
    return (one.sources, one.outputs, one.rendered) == (other.sources, other.outputs, other.rendered)


def outputs_tree(lock: Lock) -> Tree:
    """Return the outputs as one tree."""
    return Tree({path: output.entry for path, output in outputs_of(lock).items()})


def stored_parts(lock: Lock) -> Iterator[tuple[str, Content]]:
    """Yield every part of the lock that has bytes of its own, by name: sources, their transforms, the overrides."""
    for source in lock.sources:
        yield f"source {source.name}", source.pin.content
        if source.transformed is not None and source.transformed.packed is not None:
            yield f"source {source.name}, transformed", source.transformed.packed
    if lock.rendered is not None:
        yield "rendered files", lock.rendered.packed


def with_orphans(before: Lock | None, after: Lock) -> Lock:
    """Return `after` with the orphans: what `before` had written or remembered and `after` does not write."""
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
