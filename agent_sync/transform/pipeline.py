"""Apply a source's transforms one after the other, and pack what came out different as one tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent_sync.config.model import CustomTransform
from agent_sync.errors import TransformFailed
from agent_sync.lock import LockedSource, Transformed
from agent_sync.sources.content import PackedTree, packable, store_tree
from agent_sync.store.contents import Contents
from agent_sync.transform.command import run_command
from agent_sync.transform.recipe import Locating, transforms_recipe
from agent_sync.tree import Tree

if TYPE_CHECKING:
    from agent_sync.config.model import Transform
    from agent_sync.limits import Limits
    from agent_sync.ports import World


def apply_transforms(
    source: LockedSource,
    transforms: Sequence[Transform],
    variables: Mapping[str, Any],
    contents: Contents,
    world: World,
    *,
    limits: Limits,
    locating: Locating,
) -> Transformed:
    """Apply the transforms to the source, whose files `contents` has; it has those of the result afterwards.

    Raises: TransformFailed, MissingVariable, DigestMismatch (output_hash), LimitExceeded, BytesUnavailable, Cancelled.
    """
    # Asked before and after: the recipe must be that of the files which the command really saw.
    recipe = transforms_recipe(source, transforms, variables, world.project, locating)
    tree = source.tree
    for transform in transforms:
        with locating(transform):
            tree = _step(transform, tree, variables, contents, world, limits=limits)
    if recipe != transforms_recipe(source, transforms, variables, world.project, locating):
        raise TransformFailed(
            subject=f"source {source.name}",
            check="a file that the command runs or reads changed while it ran",
            remedy="run it again when nothing writes there",
        )
    return Transformed(
        recipe=recipe,
        packed=_difference(source.tree, tree, contents, world, subject=f"source {source.name}"),
        removed=tuple(path for path in source.tree if path not in tree),
    )


def _step(
    transform: Transform,
    tree: Tree,
    variables: Mapping[str, Any],
    contents: Contents,
    world: World,
    *,
    limits: Limits,
) -> Tree:
    """Return the tree after one transform; `contents` has its files then."""
    if isinstance(transform, CustomTransform):
        packed = run_command(transform, tree, contents, world, limits=limits)
        contents.add_tree(packed)
        return packed.files
    from agent_sync.transform.render import render_files  # the engine takes as long to load as all else here

    files = render_files(transform, tree, contents, variables, world, limits=limits)
    packed = store_tree(files, world.store, subject=f"source {transform.source}")
    contents.add_tree(packed)
    return tree.overlaid_by(packed.files)


def _difference(before: Tree, after: Tree, contents: Contents, world: World, *, subject: str) -> PackedTree | None:
    changed = Tree.in_order({path: entry for path, entry in after.items() if before.get(path) != entry})
    return store_tree(packable(changed, contents), world.store, subject=subject) if changed else None
