"""Digest everything that decides what transforms or overrides make, their input included: the recipe.

Equal recipes give equal results; so a recorded one is used again without running anything, and a lock in which
somebody merged a new source with an old result is noticed (docs/decisions/0005-recipes-cover-their-input.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from agent_sync.config.model import CustomTransform, Override, TemplateTransform, Transform
from agent_sync.errors import ConfigInvalid
from agent_sync.lock import LockedSource
from agent_sync.ports import Directory, Kind
from agent_sync.transform.command import program_files
from agent_sync.tree import Entry, RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

Locating = Callable[[Transform | Override], AbstractContextManager[None]]
"""Gives the errors that are raised inside the position of the declaration."""


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
            steps.append(_step(transform, variables, project))
    return _digest({"input": _files(source.tree), "transforms": steps})


def overrides_recipe(
    bases: Mapping[RelPath, Entry], overrides: Iterable[Override], project: Directory, locating: Locating
) -> Digest:
    """Return the recipe of what overrides derive: the files that they are laid over, and the overrides' own."""
    steps = []
    for each in overrides:
        with locating(each):
            digest = _override_digest(each, project)
        steps.append({"target": each.target, "strategy": each.strategy, "sha256": digest})
    return _digest({"input": _files(bases), "overrides": steps})


def _files(files: Mapping[RelPath, Entry]) -> dict[str, list[str]]:
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


def _step(transform: Transform, variables: Mapping[str, Any], project: Directory) -> dict[str, Any]:
    match transform:
        case TemplateTransform():
            return {
                "type": "template",
                "vars": transform.vars,
                "variables": variables,
                "include": list(transform.include),
                "exclude": list(transform.exclude),
            }
        case CustomTransform():
            return {
                "type": "custom",
                "command": transform.command,
                "output_hash": transform.output_hash,  # so that a new demand is checked, not met by an old result
                "files": {
                    path: {"sha256": project.digest(path), "executable": stat.executable}
                    for path, stat in program_files(transform, project)
                },
            }


def _digest(document: dict[str, Any]) -> Digest:
    from agent_sync.documents import emit_json

    return Digest.of(emit_json(document))
