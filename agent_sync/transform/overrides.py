"""Overrides: files of the project put before, after or in place of an output (spec §6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agent_sync.errors import LimitExceeded, TransformFailed
from agent_sync.lock import Rendered
from agent_sync.lock.packing import store_tree
from agent_sync.sources.local import read_file
from agent_sync.targets import override_matches
from agent_sync.transform.recipe import Locating, overrides_recipe
from agent_sync.tree import RelPath, sorted_paths
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config.model import Override
    from agent_sync.limits import Limits
    from agent_sync.lock.outputs import Output
    from agent_sync.ports import Contents, Directory, World


MatchedOverrides = Mapping[RelPath, Sequence["Override"]]
"""The overrides of each output that has any, by path in tree order."""


def match_overrides(
    outputs: Mapping[RelPath, Output], overrides: Sequence[Override], locating: Locating, *, incomplete: bool = False
) -> MatchedOverrides:
    """Which overrides apply to which outputs: one of a name applies to each file of that name by itself.

    `incomplete` says that a source could not be had, whose files an override may be for: then it may match nothing.

    Raises: TransformFailed if an override matches no output (spec §6.2 rule 3).
    """
    found: dict[RelPath, list[Override]] = {}
    for override in overrides:
        matching = [path for path in outputs if override_matches(override.target, path)]
        if not matching and not incomplete:
            with locating(override):
                raise TransformFailed(
                    subject=f"override of {quoted(override.target)}",
                    check="no output has this path or file name",
                    remedy="correct `target:` (a file name, or with a `/` the whole output path), or remove it",
                    part=("target",),
                )
        for path in matching:
            found.setdefault(path, []).append(override)
    return {path: found[path] for path in sorted_paths(found)}


def recipe(
    outputs: Mapping[RelPath, Output],
    chosen: MatchedOverrides,
    overrides: Sequence[Override],
    project: Directory,
    locating: Locating,
) -> Digest:
    """The digest of what decides the rendered files: bases, overrides, and their files. ConfigInvalid if one is
    missing.
    """
    return overrides_recipe({path: outputs[path].entry for path in chosen}, overrides, project, locating)


def apply_overrides(
    outputs: Mapping[RelPath, Output],
    chosen: MatchedOverrides,
    overrides: Sequence[Override],
    contents: Contents,
    world: World,
    *,
    limits: Limits,
    locating: Locating,
) -> Rendered:
    """What the overrides make of the outputs, packed in the store; several on one file apply in order.

    Raises: LimitExceeded, ConfigInvalid, BytesUnavailable, Cancelled.
    """
    files = _files(chosen, outputs, contents, world, limits, locating)
    return Rendered(
        recipe=recipe(outputs, chosen, overrides, world.project, locating),
        packed=store_tree(files, world.store, subject="the overrides"),
        owners={path: outputs[path].source for path in chosen},
    )


def _files(
    chosen: MatchedOverrides,
    outputs: Mapping[RelPath, Output],
    contents: Contents,
    world: World,
    limits: Limits,
    locating: Locating,
) -> Iterator[FileToPack]:
    for path, overrides in chosen.items():
        world.cancellation.check()
        entry = outputs[path].entry
        content = b"".join(contents.chunks(entry.sha256)) if _needs_base(overrides) else b""
        for override in overrides:
            subject = f"override of {quoted(override.target)}"
            with locating(override):
                extra = read_file(world.project, override.file, subject=subject, limits=limits)
                content = _combine(content, extra, override.strategy)
                if len(content) > limits.max_file_size:
                    raise LimitExceeded(
                        subject=f"output {quoted(path)}",
                        check=f"{len(content)} bytes are more than max_file_size allows ({limits.max_file_size})",
                        remedy="raise `max_file_size` under `limits:`",
                        part=("file",),
                    )
        yield FileToPack(path, len(content), (content,), executable=entry.executable)


def _needs_base(overrides: Sequence[Override]) -> bool:
    return overrides[0].strategy != "replace"


def _combine(content: bytes, extra: bytes, strategy: str) -> bytes:
    match strategy:
        case "append":
            return _join_lines(content, extra)
        case "prepend":
            return _join_lines(extra, content)
        case _:
            return extra


def _join_lines(first: bytes, second: bytes) -> bytes:
    """Both, with a newline between when the first part lacks one."""
    return first + (b"\n" if first and not first.endswith(b"\n") else b"") + second
