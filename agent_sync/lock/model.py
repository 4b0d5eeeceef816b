"""The contents of `agent-sync.lock`: one value per table, which reads and writes itself.

What each source is (its declaration and its pin belong to its type), what transforms and overrides derived, and where
the files go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from agent_sync.sources import TYPES, source_type
from agent_sync.sources.base import Declaration, Pin, Pinned
from agent_sync.sources.content import PackedTree, write_file
from agent_sync.sources.table import Kind, Table, Unknown
from agent_sync.tree import ROOT, Entry, RelPath, Tree
from agent_sync_oci.digest import Digest

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


@dataclass(frozen=True, slots=True)
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
        changed = {} if self.transformed.packed is None else self.transformed.packed.files
        return self.tree.without(self.transformed.removed).overlaid_by(changed)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


def _read_orphans(table: Table) -> tuple[Orphan, ...]:
    files = table.files("orphans", required=False, owned=True)
    tree = Tree(zip(files.paths, files.entries, strict=True))
    return tuple(Orphan(path, entry, files.owners.get(path, "")) for path, entry in tree.items())


def _write_orphans(orphans: tuple[Orphan, ...]) -> dict[str, Any]:
    return {orphan.path: {**write_file(orphan.entry), "source": orphan.source} for orphan in orphans}
