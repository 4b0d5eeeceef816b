"""Put files of the project before, after or in place of outputs (spec §6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from agent_sync.errors import TransformFailed
from agent_sync.limits import limit_exceeded
from agent_sync.lock import Rendered
from agent_sync.sources.content import store_tree
from agent_sync.sources.local import read_file
from agent_sync.targets import override_matches
from agent_sync.transform.pipeline import Locating, overrides_recipe
from agent_sync.tree import RelPath, sorted_paths
from agent_sync.tree.tarball import FileToPack
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import closest, quoted

if TYPE_CHECKING:
    from agent_sync.config.model import Override
    from agent_sync.limits import Limits
    from agent_sync.lock.model import Output
    from agent_sync.ports import Contents, Directory, World


_MAX_COMPARED = 2_000

MatchedOverrides = Mapping[RelPath, Sequence["Override"]]
"""The overrides of each output that has any, by path in tree order."""


def match_overrides(
    outputs: Mapping[RelPath, Output], overrides: Sequence[Override], locating: Locating, *, incomplete: bool = False
) -> MatchedOverrides:
    """Return the overrides of each output that has any; one of a file name is for each output of that name.

    `incomplete` says that a source failed, and an override may be for its files: then it may match nothing.

    Raises: TransformFailed if an override matches no output (spec §6.2 rule 3).
    """
    found: dict[RelPath, list[Override]] = {}
    for override in overrides:
        matching = [path for path in outputs if override_matches(override.target, path)]
        if not matching and not incomplete:
            with locating(override):
                raise _no_such_output(override.target, outputs)
        for path in matching:
            found.setdefault(path, []).append(override)
    return {path: found[path] for path in sorted_paths(found)}


def recipe(
    outputs: Mapping[RelPath, Output],
    matched: MatchedOverrides,
    overrides: Sequence[Override],
    project: Directory,
    locating: Locating,
) -> Digest:
    """Return the digest of what decides the derived files: bases, overrides, and their files.

    Raises: ConfigInvalid if a file of an override is missing.
    """
    return overrides_recipe({path: outputs[path].entry for path in matched}, overrides, project, locating)


def apply_overrides(
    outputs: Mapping[RelPath, Output],
    matched: MatchedOverrides,
    overrides: Sequence[Override],
    contents: Contents,
    world: World,
    *,
    limits: Limits,
    locating: Locating,
) -> Rendered:
    """Apply the overrides to the outputs, and pack what they make; several on one file apply in order.

    Raises: LimitExceeded, ConfigInvalid, BytesUnavailable, Cancelled.
    """
    files = _files(matched, outputs, contents, world, limits, locating)
    return Rendered(
        recipe=recipe(outputs, matched, overrides, world.project, locating),
        packed=store_tree(files, world.store, subject="the overrides"),
        owners={path: outputs[path].source for path in matched},
    )


def _files(
    matched: MatchedOverrides,
    outputs: Mapping[RelPath, Output],
    contents: Contents,
    world: World,
    limits: Limits,
    locating: Locating,
) -> Iterator[FileToPack]:
    for path, overrides in matched.items():
        world.cancellation.check()
        entry = outputs[path].entry
        # A first override that replaces needs no base, which then is neither fetched nor read.
        content = b"".join(contents.chunks(entry.sha256)) if _needs_base(overrides) else b""
        for override in overrides:
            subject = f"override of {quoted(override.target)}"
            with locating(override):
                extra = read_file(world.project, override.file, subject=subject, limits=limits)
                content = _combine(content, extra, override.strategy)
                # Checked after each one: several overrides on one file must not add up in memory.
                if len(content) > limits.max_file_size:
                    check = f"{len(content)} bytes, more than {limits.max_file_size}"
                    raise limit_exceeded("max_file_size", subject=f"output {quoted(path)}", check=check).restated(
                        part=("file",)
                    )
        yield FileToPack(path, len(content), (content,), executable=entry.executable)


def _no_such_output(target: str, outputs: Mapping[RelPath, Output]) -> TransformFailed:
    near = _likely_output(target.removeprefix("./"), outputs)
    correct = "correct `target:` (a file name, or with a `/` the whole output path), or remove the override"
    return TransformFailed(
        subject=f"override of {quoted(target)}",
        check="no output has this path or file name",
        remedy=correct if near is None else f"did you mean {quoted(near)}?",
        part=("target",),
    )


def _likely_output(target: str, outputs: Mapping[RelPath, Output]) -> str | None:
    """Return the output that is most likely meant: one of the same file name, or else of nearly the same path."""
    name = target.rpartition("/")[2]
    namesakes = [path for path in outputs if path.rpartition("/")[2] == name]
    if len(namesakes) == 1:
        return namesakes[0]
    candidates = namesakes if namesakes or "/" in target else {path.rpartition("/")[2] for path in outputs}
    # Comparing takes time in proportion to the number: a hint is not worth more.
    return closest(target, islice(candidates or outputs, _MAX_COMPARED))


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
    """Return both, with a newline between when the first part lacks one."""
    return first + (b"\n" if first and not first.endswith(b"\n") else b"") + second
