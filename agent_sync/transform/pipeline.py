"""Apply a source's transforms one after the other, and digest their recipe: everything that decides the result.

Equal recipes give equal results; so a recorded result is used again without running anything, and a lock in which
somebody merged a new source with an old result is noticed (docs/decisions/0005-recipes-cover-their-input.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from agent_sync.errors import ConfigInvalid, TransformFailed
from agent_sync.lock import LockedSource, Transformed
from agent_sync.ports import Directory, Kind
from agent_sync.sources.content import PackedTree, packable, store_tree
from agent_sync.store.contents import Contents
from agent_sync.transform.command import program_files, run_command
from agent_sync.tree import Entry, RelPath, Tree
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config.model import Override, Transform
    from agent_sync.limits import Limits
    from agent_sync.ports import World


Locating = Callable[["Transform | Override"], AbstractContextManager[None]]
"""Gives the errors that are raised inside the position of the declaration."""


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
            tree = _apply_transform(transform, tree, variables, contents, world, limits=limits)
    # A file that changed in between would record a result under the recipe of other bytes.
    if recipe != transforms_recipe(source, transforms, variables, world.project, locating):
        raise TransformFailed(
            subject=f"source {source.name}",
            check="a file that the command runs or reads changed while it ran",
            remedy="rerun the command when nothing writes there",
        )
    return Transformed(
        recipe=recipe,
        packed=_difference(source.tree, tree, contents, world, subject=f"source {source.name}"),
        removed=tuple(path for path in source.tree if path not in tree),
    )


def _apply_transform(
    transform: Transform,
    tree: Tree,
    variables: Mapping[str, Any],
    contents: Contents,
    world: World,
    *,
    limits: Limits,
) -> Tree:
    """Return the tree after one transform; `contents` has its files then."""
    if transform.type == "custom":
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


# -- The recipe.


def transforms_recipe(
    source: LockedSource,
    transforms: Iterable[Transform],
    variables: Mapping[str, Any],
    project: Directory,
    locating: Locating,
) -> Digest:
    """Return the recipe of one source.

    It covers the source's files, its transforms in order, the variables if one is a template, and every file that a
    command runs or reads.
    """
    steps = []
    for transform in transforms:
        with locating(transform):
            steps.append(_recipe_step(transform, variables, project))
    return _digest({"input": _recipe_files(source.tree), "transforms": steps})


def overrides_recipe(
    bases: Mapping[RelPath, Entry], overrides: Iterable[Override], project: Directory, locating: Locating
) -> Digest:
    """Return the recipe of what overrides derive: the files that they are laid over, and the overrides' own."""
    steps = []
    for each in overrides:
        with locating(each):
            digest = _override_digest(each, project)
        steps.append({"target": each.target, "strategy": each.strategy, "sha256": digest})
    return _digest({"input": _recipe_files(bases), "overrides": steps})


def _recipe_files(files: Mapping[RelPath, Entry]) -> dict[str, list[str]]:
    return {path: [entry.sha256, *(["executable"] if entry.executable else [])] for path, entry in files.items()}


def _override_digest(override: Override, project: Directory) -> str:
    stat = project.stat(override.file)
    if stat is None or stat.kind is not Kind.FILE:
        raise ConfigInvalid(
            subject=f"override of {quoted(override.target)}",
            check=f"{quoted(override.file)} is not a file of the project",
            remedy="create it, or correct `file:` (relative to the project root)",
            part=("file",),
        )
    return project.digest(override.file)


def _recipe_step(transform: Transform, variables: Mapping[str, Any], project: Directory) -> dict[str, Any]:
    if transform.type == "template":
        return {
            "type": "template",
            "vars": transform.vars,
            "variables": variables,
            "include": list(transform.include),
            "exclude": list(transform.exclude),
        }
    return {
        "type": "custom",
        "command": transform.command,
        "output_hash": transform.output_hash,  # so that a new requirement is checked, not met by an old result
        "files": {
            path: {"sha256": project.digest(path), "executable": stat.executable}
            for path, stat in program_files(transform, project)
        },
    }


def _digest(document: dict[str, Any]) -> Digest:
    from agent_sync.documents import emit_json

    return Digest.of(emit_json(document))
