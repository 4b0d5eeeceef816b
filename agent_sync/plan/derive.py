"""Derive the lock's second half: what transforms and overrides make of the locked sources, and where it goes.

`update` records the result; `sync`, `check`, `status` and `diff` call this too, so that they agree when only the recipe
changed. A recorded part whose recipe is the same is taken as it is, without running anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent_sync.config import Config, limits_of
from agent_sync.errors import LockMissing, LockStale, MissingVariable
from agent_sync.events import Warned
from agent_sync.lock import Lock, LockedSource, Placement, Rendered
from agent_sync.sources.base import changed_fields
from agent_sync.store.contents import Contents
from agent_sync.targets import override_matches, placements, unite
from agent_sync.tree import Sha256

if TYPE_CHECKING:
    from agent_sync.config.model import Source, Transform
    from agent_sync.ports import World


class Supply(Protocol):
    """A supply of source files; `supply.Supplier` is the one that fetches."""

    def add_to(self, contents: Contents, sources: Iterable[LockedSource]) -> None:
        """Make `contents` serve the files of these sources, before any transform; raise what fetching raises."""
        ...


def derive(
    lock: Lock, config: Config, world: World, *, supply: Supply, keep: Collection[str] = (), lenient: bool = False
) -> Lock:
    """Return the lock with `transformed`, `outputs` and `rendered` as this configuration makes them from its sources.

    Sources that the configuration does not declare are left out, and the others are in its order; those named in `keep`
    stay as they are recorded. With `lenient` a template that lacks a variable leaves its source unrendered.

    Raises: AmbiguousOutput, TransformFailed, UnsafePath, and what `supply` raises.
    """
    sources = tuple(
        locked if locked.name in keep else derive_source(locked, config, world, supply=supply, lenient=lenient)
        for source in config.sources
        if (locked := lock.source(source.name)) is not None
    )
    # A target of a source that failed is left out, so that the others can be locked.
    known = {source.name for source in sources}
    placed = _with_recorded_unknowns((each for each in placements(config) if each.source in known), lock)
    overridden = _derive_overrides(lock, sources, placed, config, world, supply)
    return replace(lock, sources=sources, outputs=placed, rendered=overridden, tool_map=config.tool_map)


def derive_source(
    locked: LockedSource, config: Config, world: World, *, supply: Supply, lenient: bool = False
) -> LockedSource:
    """Return the source with what its transforms make of it; nothing is run if the lock records that already.

    With `lenient` a template that lacks a variable leaves the source unrendered, with a warning: another layer may
    define it.

    Raises: TransformFailed, LimitExceeded, DigestMismatch (output_hash), and what `supply` raises.
    """
    transforms = [each for each in config.transforms if each.source == locked.name]
    if not transforms:
        # The transforms were removed from the configuration: what they made goes with them.
        return locked if locked.transformed is None else replace(locked, transformed=None)
    from agent_sync.transform.pipeline import apply_transforms

    if _is_recorded(locked, transforms, config, world):
        return locked
    try:
        with Contents(world.store) as contents:
            supply.add_to(contents, (locked,))
            transformed = apply_transforms(
                locked,
                transforms,
                config.variables,
                contents,
                world,
                limits=limits_of(locked.name, config),
                locating=partial(config.locating, "transforms"),
            )
    except MissingVariable as error:
        if not lenient:
            raise
        message = f"{error.check}; the shared lock leaves it unrendered"
        world.observer(Warned("unrendered", f"source {locked.name}", message, error.place))
        return replace(locked, transformed=None)
    return replace(locked, transformed=transformed)


def _is_recorded(locked: LockedSource, transforms: Sequence[Transform], config: Config, world: World) -> bool:
    """Tell whether the lock records what exactly these transforms made of these files."""
    if locked.transformed is None:
        return False
    from agent_sync.transform.pipeline import transforms_recipe

    locating = partial(config.locating, "transforms")
    return locked.transformed.recipe == transforms_recipe(locked, transforms, config.variables, world.project, locating)


def _derive_overrides(
    lock: Lock,
    sources: Sequence[LockedSource],
    placed: Sequence[Placement],
    config: Config,
    world: World,
    supply: Supply,
) -> Rendered | None:
    overrides = config.overrides
    outputs = unite(
        placed,
        {source.name: source for source in sources},
        overridden=lambda path: any(override_matches(each.target, path) for each in overrides),
    )
    if not overrides:
        return None
    from agent_sync.transform.overrides import apply_overrides, match_overrides, recipe

    locating = partial(config.locating, "overrides")
    incomplete = len(sources) < len(config.sources)
    matched = match_overrides(outputs, overrides, locating, incomplete=incomplete)
    if lock.rendered is not None and lock.rendered.recipe == recipe(
        outputs, matched, overrides, world.project, locating
    ):
        return lock.rendered
    with Contents(world.store) as contents:
        _add_bases(contents, sources, {outputs[path].entry.sha256 for path in matched}, supply)
        return apply_overrides(outputs, matched, overrides, contents, world, limits=config.limits, locating=locating)


def _add_bases(contents: Contents, sources: Sequence[LockedSource], wanted: set[Sha256], supply: Supply) -> None:
    """Give `contents` the files that overrides are laid over; only the sources that hold one are asked for."""
    # Derived trees are in the cache already, and cost nothing to offer.
    for source in sources:
        if source.transformed is not None and source.transformed.packed is not None:
            contents.add_tree(source.transformed.packed)
    left = {sha256 for sha256 in wanted if sha256 not in contents}
    supply.add_to(contents, [each for each in sources if left & {entry.sha256 for entry in each.tree.values()}])


def _with_recorded_unknowns(placed: Iterable[Placement], lock: Lock) -> tuple[Placement, ...]:
    """Return the placements; one that the lock has already keeps the fields that this version does not know."""
    recorded = {(each.source, each.to, each.tool): each.unknown for each in lock.outputs or ()}
    return tuple(replace(each, unknown=recorded.get((each.source, each.to, each.tool), {})) for each in placed)


# -- Staleness: whether the lock was made for these declarations (docs/reference/lockfile.md, "Staleness").


def refuse_stale(config: Config, lock: Lock, *, inherited: frozenset[str] = frozenset()) -> None:
    """Raise an error unless every declared source is locked as it is declared now.

    `inherited` names the sources of the user's own layers, which another command locks.

    Raises: LockMissing for a source that is not locked, LockStale for one that is declared otherwise.
    """
    for source in config.sources:
        fault = stale_reason(source, lock)
        if fault is None:
            continue
        update = "agent-sync update --inherited" if source.name in inherited else f"agent-sync update {source.name}"
        error, part = (LockMissing if lock.source(source.name) is None else LockStale), stale_part(source, lock)
        stale = error(subject=f"source {source.name}", check=fault, remedy=f"lock it: {update}", part=part)
        raise config.located(source.name, stale)


def stale_reason(source: Source, lock: Lock) -> str | None:
    """Return why the lock is stale for this source; None if it is not."""
    locked = lock.source(source.name)
    if locked is None:
        return "not in the lock"
    fields = changed_fields(source.declaration, locked)
    return f"{_listed(fields)} changed since the source was locked" if fields else None


def stale_part(source: Source, lock: Lock) -> tuple[str, ...]:
    """Return the key of the first field that changed since the source was locked; empty if none did."""
    locked = lock.source(source.name)
    return () if locked is None else changed_fields(source.declaration, locked)[:1]


def _listed(fields: Iterable[str]) -> str:
    return " and ".join(f"`{field}`" for field in fields)
