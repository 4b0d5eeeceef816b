"""Locks in memory: sources with files, and where placements put them."""

from __future__ import annotations

from collections.abc import Iterable

from agent_sync.lock import Lock, LockedSource, Placement, Rendered, Transformed
from agent_sync.sources.content import PackedTree
from agent_sync.sources.local import LocalDeclaration, LocalPin
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from tests.builders.trees import Files, a_tree, sha256

RECIPE = Digest(f"sha256:{sha256('a recipe')}")


def packed_tree(files: Files) -> PackedTree:
    """These files, with digests of a packed form that nobody has: a lock of ours always records them."""
    tree = a_tree(files)
    digest = sha256(repr(list(tree.items())))
    return PackedTree(tree, Digest(f"sha256:{digest}"), 1024, f"sha256-{digest[:43]}=")


def a_source(name: str, files: Files, *, made: Files | None = None, removed: Iterable[str] = ()) -> LockedSource:
    """A locked directory of these files; `made` and `removed` are what its transforms did, if it has any."""
    transformed = None
    if made is not None or removed:
        packed = None if made is None else packed_tree(made)
        transformed = Transformed(RECIPE, packed, tuple(map(RelPath, removed)))
    pin = LocalPin(f"./{name}", packed_tree(files))
    return LockedSource(name, LocalDeclaration(path=f"./{name}"), pin, transformed)


def a_placement(source: str, to: str, *, tool: str | None = None, shared: bool = False) -> Placement:
    """The source's files in the directory `to`."""
    return Placement(source, RelPath(to), tool=tool, shared=shared)


def a_lock(source: LockedSource, *placements: Placement) -> Lock:
    """A lock of this one source."""
    return Lock(sources=(source,), outputs=placements)


def overridden(files: Files, **owners: str) -> Rendered:
    """What overrides made of outputs; every file belongs to the source `a`, or to the one in `owners` by its name."""
    tree = a_tree(files)
    return Rendered(RECIPE, packed_tree(files), {path: owners.get(path, "a") for path in tree})
