"""What upstream has now, compared with a lock, without fetching more than it takes to know (spec §9.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.config import limits_of
from agent_sync.config.model import GitSource, LocalSource, OciSource, Source, UrlSource
from agent_sync.errors import AgentSyncError
from agent_sync.lock import GitPin, Lock, LockedSource, OciPin, UrlPin
from agent_sync.lock.difference import files_counted
from agent_sync.resolve.git import upstream_commits
from agent_sync.resolve.local import look, tree_of
from agent_sync.resolve.oci import served_manifest
from agent_sync.resolve.side_by_side import outcome_of, side_by_side
from agent_sync.resolve.url import served_digest
from agent_sync_oci.digest import Digest

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.limits import Limits
    from agent_sync.ports import World


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a source is upstream now: whether that is what the lock has, and a short name for it."""

    same: bool
    identity: str


Outcome = Upstream | AgentSyncError
Job = Callable[[], Mapping[str, Outcome]]


def upstream(sources: Sequence[Source], lock: Lock, config: Config, world: World) -> Mapping[str, Outcome]:
    """By name: what each source is upstream now, or why that could not be found out. All are asked side by side."""
    repositories: dict[str, list[GitSource]] = defaultdict(list)
    jobs: list[Job] = []
    for source in sources:
        if isinstance(source, GitSource):
            repositories[source.repo].append(source)
        else:
            jobs.append(partial(_single, source, lock, config, world))
    jobs.extend(partial(_repository, each, lock, config, world) for each in repositories.values())
    return side_by_side(jobs, cancellation=world.cancellation)


def _repository(sources: Sequence[GitSource], lock: Lock, config: Config, world: World) -> Mapping[str, Outcome]:
    found = upstream_commits(sources, config, world)
    return {
        name: each if isinstance(each, AgentSyncError) else _commit(each, lock.source(name))
        for name, each in found.items()
    }


def _commit(commit: str, locked: LockedSource | None) -> Upstream:
    same = locked is not None and isinstance(locked.pin, GitPin) and locked.pin.commit == commit
    return Upstream(same, commit[:12])


def _single(
    source: UrlSource | LocalSource | OciSource, lock: Lock, config: Config, world: World
) -> Mapping[str, Outcome]:
    def found() -> Upstream:
        world.cancellation.check()
        limits, locked = limits_of(source.name, config), lock.source(source.name)
        match source:
            case UrlSource():
                return _url(source, locked, world, limits)
            case LocalSource():
                return _local(source, locked, world, limits)
            case OciSource():
                return _artifact(served_manifest(source, world, limits=limits, security=config.security), locked)

    return {source.name: outcome_of(found)}


def _url(source: UrlSource, locked: LockedSource | None, world: World, limits: Limits) -> Upstream:
    served = served_digest(source, world, limits=limits)
    same = locked is not None and isinstance(locked.pin, UrlPin) and locked.pin.sha256 == served.hex
    return Upstream(same, f"sha256:{served.hex[:12]}")


def _artifact(served: Digest, locked: LockedSource | None) -> Upstream:
    same = locked is not None and isinstance(locked.pin, OciPin) and locked.pin.digest == served
    return Upstream(same, f"sha256:{served.hex[:12]}")


def _local(source: LocalSource, locked: LockedSource | None, world: World, limits: Limits) -> Upstream:
    seen = look(source, world, limits=limits)
    if seen is None:
        return Upstream(same=False, identity="nothing")
    tree = tree_of(seen, cancellation=world.cancellation)
    return Upstream(locked is not None and tree == locked.tree, files_counted(len(tree)))
