"""The contents of `agent-sync.lock`: one value per table, which reads and writes itself, and the outputs that follow.

What each source is (its declaration and its pin belong to its type), what transforms and overrides derived, and where
the files go. The outputs are a pure function of the lock (docs/reference/lockfile.md, "Outputs").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from enum import Enum
from typing import Any, NamedTuple, Self

from agent_sync.sources import TYPES, source_type
from agent_sync.sources.base import Declaration, Pin, Pinned
from agent_sync.sources.content import Content, PackedTree, write_file
from agent_sync.sources.table import Kind, Table, Unknown
from agent_sync.tree import ROOT, Entry, RelPath, Tree, sorted_paths
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record

VERSION = 1
SPEC_TOOL_MAP = "spec-v1"
_VERSION = Kind({"type": "integer", "const": VERSION}, f"the number {VERSION}", lambda value: value == VERSION, VERSION)


class Transformed(NamedTuple):
    """What a source's transforms derived: changed and new files packed, removed keys, and the digest of the recipe.

    `packed` is None if no file came out different.
    """

    recipe: Digest
    packed: PackedTree | None = None
    removed: tuple[RelPath, ...] = ()

    @classmethod
    def read(cls, table: Table) -> Self:
        """Return what the table `transformed` records."""
        removed, recipe = table.paths("removed"), table.digest("recipe")
        packed = PackedTree.read(table, required=False)
        return cls(recipe, packed if packed.files else None, removed)

    def write(self) -> dict[str, Any]:
        """Return the table."""
        return {
            "recipe": self.recipe,
            **({} if self.packed is None else self.packed.write()),
            **({"removed": list(self.removed)} if self.removed else {}),
        }


@record
class LockedSource(Pinned[Declaration, Pin]):
    """One source: what was declared, what that was resolved to, what its transforms derived."""

    transformed: Transformed | None = None
    status: str = "ok"
    unknown: Unknown = field(default_factory=dict)
    unknown_resolved: Unknown = field(default_factory=dict)

    @classmethod
    def read(cls, table: Table) -> Self:
        """Return what one table of `sources` records."""
        name, kind, resolved = (
            table.text("name"),
            source_type(table.choice("type", tuple(TYPES))),
            table.table("resolved"),
        )
        declaration, pin = kind.declaration.read(table, resolved), kind.pin.read(resolved)
        transformed = table.table_or_none("transformed")
        return cls(
            name,
            declaration,
            pin,
            transformed=None if transformed is None else Transformed.read(transformed),
            status=table.text_or("status", "ok"),
            unknown=table.rest,
            unknown_resolved=resolved.rest,
        )

    def write(self) -> dict[str, Any]:
        """Return the table."""
        return {
            "name": self.name,
            **self.declaration.write(),
            "resolved": {**self.pin.write(), **self.unknown_resolved},
            **({} if self.transformed is None else {"transformed": self.transformed.write()}),
            "status": self.status,
            **self.unknown,
        }

    @property
    def result(self) -> Tree:
        """The files as the transforms leave them: what placements place."""
        if self.transformed is None:
            return self.tree
        return self.tree.without(self.transformed.removed).overlaid_by(self.derived)

    @property
    def derived(self) -> Tree:
        """The files that the transforms derived: changed and new ones."""
        return Tree() if self.transformed is None or self.transformed.packed is None else self.transformed.packed.files


@record
class Placement:
    """A source's files go to the directory `to`, each at `to` + its key; `tool` where a tool's map said so.

    `shared`: others may keep files there.
    """

    source: str
    to: RelPath
    tool: str | None = None
    shared: bool = False
    unknown: Unknown = field(default_factory=dict, hash=False)

    @classmethod
    def read(cls, table: Table) -> Self:
        """Return what one table of `outputs` records."""
        return cls(
            source=table.text("source"),
            to=table.directory("to"),
            tool=table.text_or_none("tool"),
            shared=table.flag("shared"),
            unknown=table.rest,
        )

    def write(self) -> dict[str, Any]:
        """Return the table."""
        return {
            "source": self.source,
            "to": "./" if self.to == ROOT else f"{self.to}/",
            **({} if self.tool is None else {"tool": self.tool}),
            **({"shared": True} if self.shared else {}),
            **self.unknown,
        }


@record
class Rendered:
    """Outputs that overrides derived, by output path; `owners` has the source of each."""

    recipe: Digest
    packed: PackedTree
    owners: Mapping[RelPath, str]

    @classmethod
    def read(cls, table: Table) -> Self:
        """Return what the table `rendered` records."""
        files = table.files("files", owned=True)
        for path in files.paths:
            if path not in files.owners:
                raise table.error("`source` is missing", "files", path)
        return cls(table.digest("recipe"), PackedTree.of(table, files), files.owners)

    def write(self) -> dict[str, Any]:
        """Return the table."""
        files = {path: {**write_file(entry), "source": self.owners[path]} for path, entry in self.packed.files.items()}
        return {"recipe": self.recipe, **self.packed.write(), "files": files}


class Orphan(NamedTuple):
    """A file that an earlier lock had written and nothing declares anymore; `entry` is as it was written."""

    path: RelPath
    entry: Entry
    source: str


@record
class Lock:
    """The whole lock. Sources are in the order of the configuration, placements in the order of the targets."""

    sources: tuple[LockedSource, ...] = ()
    outputs: tuple[Placement, ...] | None = None
    rendered: Rendered | None = None
    orphans: tuple[Orphan, ...] = ()
    tool_map: str = SPEC_TOOL_MAP
    unknown: Unknown = field(default_factory=dict)

    @classmethod
    def read(cls, table: Table) -> Self:
        """Return what the whole document records, whose version is known."""
        table.required("version", _VERSION)
        tool_map = table.text_or("tool_map", SPEC_TOOL_MAP)
        sources = table.tables("sources") or []
        outputs = table.tables("outputs", nullable=True)
        rendered = table.table_or_none("rendered", nullable=True)
        return cls(
            sources=tuple(map(LockedSource.read, sources)),
            outputs=None if outputs is None else tuple(map(Placement.read, outputs)),
            rendered=None if rendered is None else Rendered.read(rendered),
            orphans=_read_orphans(table),
            tool_map=tool_map,
            unknown=table.rest,
        )

    def write(self) -> dict[str, Any]:
        """Return the whole document, in the order of its canonical text."""
        return {
            "version": VERSION,
            "tool_map": self.tool_map,
            "sources": [source.write() for source in self.sources],
            **({} if self.outputs is None else {"outputs": [each.write() for each in self.outputs]}),
            **({} if self.rendered is None else {"rendered": self.rendered.write()}),
            **({"orphans": _write_orphans(self.orphans)} if self.orphans else {}),
            **self.unknown,
        }

    def source(self, name: str) -> LockedSource | None:
        """Return the source of that name."""
        return next((source for source in self.sources if source.name == name), None)

    @property
    def overridden(self) -> Tree:
        """The outputs that overrides derived, by their paths."""
        return Tree() if self.rendered is None else self.rendered.packed.files


def _read_orphans(table: Table) -> tuple[Orphan, ...]:
    files = table.files("orphans", required=False, owned=True)
    tree = Tree(zip(files.paths, files.entries, strict=True))
    return tuple(Orphan(path, entry, files.owners.get(path, "")) for path, entry in tree.items())


def _write_orphans(orphans: tuple[Orphan, ...]) -> dict[str, Any]:
    return {orphan.path: {**write_file(orphan.entry), "source": orphan.source} for orphan in orphans}


# -- outputs and orphans -----------------------------------------------------------------------------------------------


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
    name, derived = source.name, source.derived
    return {
        RelPath(directory + key): Output(
            entry, name, key, placement, Derivation.TRANSFORM if key in derived else Derivation.SOURCE, layer
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
        for path, entry in lock.overridden.items():
            outputs[path] = _overridden(outputs.get(path), path, entry, lock.rendered.owners[path], common)
    return outputs


class _Common:
    """What a lock has in common with the shared one that it is laid over."""

    def __init__(self, lock: Lock, shared: Lock) -> None:
        sources = {source.name: source for source in shared.sources}
        self._sources = {source.name for source in lock.sources if sources.get(source.name) == source}
        self._placements = frozenset(shared.outputs or ())
        self._overridden = shared.overridden

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


def overlay(shared: Lock, inherited: Lock | None) -> Lock:
    """Return both as one lock: sources of `inherited` replace or join those of `shared`; its outputs, if any, hold."""
    if inherited is None:
        return shared
    own = {source.name: source for source in inherited.sources}
    known = {source.name for source in shared.sources}
    return replace(
        shared,
        sources=(
            *(own.get(source.name, source) for source in shared.sources),
            *(source for source in inherited.sources if source.name not in known),
        ),
        outputs=shared.outputs if inherited.outputs is None else inherited.outputs,
        rendered=shared.rendered if inherited.outputs is None else inherited.rendered,
        orphans=_united_orphans(shared, inherited),
    )


def _united_orphans(shared: Lock, inherited: Lock) -> tuple[Orphan, ...]:
    orphans: dict[RelPath, Orphan] = {orphan.path: orphan for orphan in (*shared.orphans, *inherited.orphans)}
    return tuple(orphans[path] for path in sorted_paths(orphans))
