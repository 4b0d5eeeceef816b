"""Many sources at once -> what each is, or why it could not be had."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.config import limits_of
from agent_sync.config.model import GitSource, LocalSource, OciSource, Source, UrlSource
from agent_sync.errors import AgentSyncError
from agent_sync.events import SourceFinished, SourceStarted
from agent_sync.lock import Lock, LockedSource
from agent_sync.resolve.git import resolve_git
from agent_sync.resolve.local import resolve_local
from agent_sync.resolve.oci import resolve_oci
from agent_sync.resolve.side_by_side import outcome_of, side_by_side
from agent_sync.resolve.url import resolve_url

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.ports import World

Outcome = LockedSource | AgentSyncError
Job = Callable[[], Mapping[str, Outcome]]


def resolve(sources: Sequence[Source], config: Config, previous: Lock | None, world: World) -> Mapping[str, Outcome]:
    """By name: the source as it is upstream now, its bytes in the store, or the error that kept it from being had.

    Repositories, urls and folders are looked at side by side; sources of one repository share one connection and one
    fetch.
    """
    jobs = _jobs(sources, config, previous, world)
    return side_by_side(jobs, cancellation=world.cancellation)


def _jobs(sources: Sequence[Source], config: Config, previous: Lock | None, world: World) -> list[Job]:
    repositories: dict[str, list[GitSource]] = defaultdict(list)
    jobs: list[Job] = []
    for source in sources:
        match source:
            case GitSource():
                repositories[source.repo].append(source)
            case UrlSource() | LocalSource() | OciSource():
                jobs.append(partial(_single, source, config, world))
    jobs.extend(partial(_repository, each, config, previous, world) for each in repositories.values())
    return jobs


def _single(source: UrlSource | LocalSource | OciSource, config: Config, world: World) -> Mapping[str, Outcome]:
    world.observer(SourceStarted(source.name))
    outcome = outcome_of(lambda: _resolved(source, config, world))
    world.observer(SourceFinished(source.name, _fault(outcome)))
    return {source.name: outcome}


def _resolved(source: UrlSource | LocalSource | OciSource, config: Config, world: World) -> LockedSource:
    world.cancellation.check()
    limits = limits_of(source.name, config)
    match source:
        case LocalSource():
            return resolve_local(source, world, limits=limits)
        case UrlSource():
            return resolve_url(source, world, limits=limits)
        case OciSource():
            return resolve_oci(source, world, limits=limits, security=config.security)


def _repository(
    sources: Sequence[GitSource], config: Config, previous: Lock | None, world: World
) -> Mapping[str, Outcome]:
    for source in sources:
        world.observer(SourceStarted(source.name))
    outcomes = resolve_git(sources, config, previous, world)
    for name, outcome in outcomes.items():
        world.observer(SourceFinished(name, _fault(outcome)))
    return outcomes


def _fault(outcome: Outcome) -> str | None:
    return str(outcome) if isinstance(outcome, AgentSyncError) else None
