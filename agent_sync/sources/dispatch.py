"""Resolve, check and refetch many sources at once, each failing alone.

Sources of one repository share one connection and one fetch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.config import limits_of
from agent_sync.config.model import GitSource, LocalSource, OciSource, Source, UrlSource
from agent_sync.errors import AgentSyncError, BytesUnavailable, DigestMismatch, LockInvalid, PartialFailure
from agent_sync.events import SourceFinished, SourceStarted
from agent_sync.lock import GitPin, LocalPin, Lock, LockedSource, OciPin, PackedTree, UrlPin
from agent_sync.lock.difference import count_of_files
from agent_sync.sources.base import refuse_offline
from agent_sync.sources.concurrent import outcome_of, run_concurrently
from agent_sync.sources.git.fetch import refetch_git, resolve_git, upstream_commits
from agent_sync.sources.git.signatures import refuse_protocol
from agent_sync.sources.local import hash_tree, pack_directory, refuse_changed, resolve_local, scan
from agent_sync.sources.oci.fetch import fetch_artifact, resolve_oci, served_manifest
from agent_sync.sources.url import fetch_url, resolve_url, served_digest
from agent_sync.tree import describe_changes
from agent_sync.tree.globs import Globs
from agent_sync_oci.digest import Digest
from agent_sync_oci.redaction import REDACTED
from agent_sync_oci.reference import RegistryReference, parse_reference
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.limits import Limits
    from agent_sync.ports import World


# -- Many sources at once -> what each is, or why it could not be had.

Resolved = LockedSource | AgentSyncError
ResolveJob = Callable[[], Mapping[str, Resolved]]


def resolve(sources: Sequence[Source], config: Config, previous: Lock | None, world: World) -> Mapping[str, Resolved]:
    """By name: the source as it is upstream now, its bytes in the store, or the error that kept it from being had.

    Repositories, urls and directories are looked at side by side; sources of one repository share one connection and
    one fetch.
    """
    jobs = _resolve_jobs(sources, config, previous, world)
    return run_concurrently(jobs, cancellation=world.cancellation)


def _resolve_jobs(sources: Sequence[Source], config: Config, previous: Lock | None, world: World) -> list[ResolveJob]:
    repositories: dict[str, list[GitSource]] = defaultdict(list)
    jobs: list[ResolveJob] = []
    for source in sources:
        match source:
            case GitSource():
                repositories[source.repo].append(source)
            case UrlSource() | LocalSource() | OciSource():
                jobs.append(partial(_resolve_one, source, config, world))
    jobs.extend(partial(_resolve_repository, each, config, previous, world) for each in repositories.values())
    return jobs


def _resolve_one(source: UrlSource | LocalSource | OciSource, config: Config, world: World) -> Mapping[str, Resolved]:
    world.observer(SourceStarted(source.name))
    outcome = outcome_of(lambda: _resolve_single(source, config, world))
    world.observer(SourceFinished(source.name, _fault(outcome)))
    return {source.name: outcome}


def _resolve_single(source: UrlSource | LocalSource | OciSource, config: Config, world: World) -> LockedSource:
    world.cancellation.check()
    limits = limits_of(source.name, config)
    match source:
        case LocalSource():
            return resolve_local(source, world, limits=limits)
        case UrlSource():
            return resolve_url(source, world, limits=limits)
        case OciSource():
            return resolve_oci(source, world, limits=limits, security=config.security)


def _resolve_repository(
    sources: Sequence[GitSource], config: Config, previous: Lock | None, world: World
) -> Mapping[str, Resolved]:
    for source in sources:
        world.observer(SourceStarted(source.name))
    outcomes = resolve_git(sources, config, previous, world)
    for name, outcome in outcomes.items():
        world.observer(SourceFinished(name, _fault(outcome)))
    return outcomes


def _fault(outcome: Resolved) -> str | None:
    return str(outcome) if isinstance(outcome, AgentSyncError) else None


# -- What upstream has now, compared with a lock, without fetching more than it takes to know (spec §9.4).


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """What a source is upstream now: whether that is what the lock has, and a short name for it."""

    same: bool
    identity: str


Checked = UpstreamState | AgentSyncError
CheckJob = Callable[[], Mapping[str, Checked]]


def check_upstream(sources: Sequence[Source], lock: Lock, config: Config, world: World) -> Mapping[str, Checked]:
    """By name: what each source is upstream now, or why that could not be found out. All are asked side by side."""
    repositories: dict[str, list[GitSource]] = defaultdict(list)
    jobs: list[CheckJob] = []
    for source in sources:
        if isinstance(source, GitSource):
            repositories[source.repo].append(source)
        else:
            jobs.append(partial(_check_single, source, lock, config, world))
    jobs.extend(partial(_check_repository, each, lock, config, world) for each in repositories.values())
    return run_concurrently(jobs, cancellation=world.cancellation)


def _check_repository(sources: Sequence[GitSource], lock: Lock, config: Config, world: World) -> Mapping[str, Checked]:
    found = upstream_commits(sources, config, world)
    return {
        name: each if isinstance(each, AgentSyncError) else _check_commit(each, lock.source(name))
        for name, each in found.items()
    }


def _check_commit(commit: str, locked: LockedSource | None) -> UpstreamState:
    same = locked is not None and isinstance(locked.pin, GitPin) and locked.pin.commit == commit
    return UpstreamState(same, commit[:12])


def _check_single(
    source: UrlSource | LocalSource | OciSource, lock: Lock, config: Config, world: World
) -> Mapping[str, Checked]:
    def found() -> UpstreamState:
        world.cancellation.check()
        limits, locked = limits_of(source.name, config), lock.source(source.name)
        match source:
            case UrlSource():
                return _check_url(source, locked, world, limits)
            case LocalSource():
                return _check_local(source, locked, world, limits)
            case OciSource():
                return _check_artifact(served_manifest(source, world, limits=limits, security=config.security), locked)

    return {source.name: outcome_of(found)}


def _check_url(source: UrlSource, locked: LockedSource | None, world: World, limits: Limits) -> UpstreamState:
    served = served_digest(source, world, limits=limits)
    same = locked is not None and isinstance(locked.pin, UrlPin) and locked.pin.sha256 == served.hex
    return UpstreamState(same, f"sha256:{served.hex[:12]}")


def _check_artifact(served: Digest, locked: LockedSource | None) -> UpstreamState:
    same = locked is not None and isinstance(locked.pin, OciPin) and locked.pin.digest == served
    return UpstreamState(same, f"sha256:{served.hex[:12]}")


def _check_local(source: LocalSource, locked: LockedSource | None, world: World, limits: Limits) -> UpstreamState:
    seen = scan(source, world, limits=limits)
    if seen is None:
        return UpstreamState(same=False, identity="nothing")
    tree = hash_tree(seen, cancellation=world.cancellation)
    return UpstreamState(locked is not None and tree == locked.tree, count_of_files(len(tree)))


# -- Locked sources from where they came from, each taken only if it is what the lock says.

Refetched = PackedTree | AgentSyncError


def refetch(
    sources: Sequence[LockedSource], config: Config | None, demands: Config, world: World
) -> Mapping[str, PackedTree]:
    """The packed tree of each source, by name; all are in the store. A url's has its one file and no tar.

    Raises: the error of the source that failed, or PartialFailure if several did: BytesUnavailable (offline, or
    nothing is there any more), DigestMismatch, NetworkError, LimitExceeded, Untrusted.
    """
    fetching = _Refetching(config, demands, world)
    outcomes = run_concurrently(fetching.jobs(sources), cancellation=world.cancellation)
    failures = {
        each.name: error if config is None else config.located(each.name, error)
        for each in sources
        if isinstance(error := outcomes[each.name], AgentSyncError)
    }
    if len(failures) == 1:
        raise next(iter(failures.values()))
    if failures:
        raise PartialFailure(failures, succeeded=0)
    return {name: packed for name, packed in outcomes.items() if isinstance(packed, PackedTree)}


class _Refetching:
    """One run: what may be asked, and how."""

    def __init__(self, config: Config | None, demands: Config, world: World) -> None:
        self._config = config
        self._security = demands.security
        self._world = world
        self._limits = demands.limits

    def jobs(self, sources: Iterable[LockedSource]) -> list[Callable[[], Mapping[str, Refetched]]]:
        """What can be done side by side: each repository, each url, each directory."""
        repositories: dict[str | None, list[LockedSource]] = defaultdict(list)
        jobs: list[Callable[[], Mapping[str, Refetched]]] = []
        for source in sources:
            match source.pin:
                case GitPin():
                    repositories[source.declared.repo].append(source)
                case UrlPin() | LocalPin() | OciPin():
                    jobs.append(partial(self._single, source))
        return [*jobs, *(partial(self._repository, each) for each in repositories.values())]

    def _repository(self, sources: Sequence[LockedSource]) -> Mapping[str, Refetched]:
        return refetch_git(sources, self._world, limits=self._limits, security=self._security)

    def _single(self, source: LockedSource) -> Mapping[str, Refetched]:
        return {source.name: outcome_of(lambda: self._fetched(source))}

    def _fetched(self, source: LockedSource) -> PackedTree:
        match source.pin:
            case UrlPin():
                return self._url(source, source.pin)
            case LocalPin():
                return self._local(source)
            case OciPin():
                return self._artifact(source, source.pin)
            case GitPin():
                raise AssertionError("git sources are fetched by repository")

    def _url(self, source: LockedSource, pin: UrlPin) -> PackedTree:
        """By the address of the configuration, where there is one: the lock's has its secrets taken out."""
        refuse_offline(source.name, self._world)
        declared = None if self._config is None else self._config.source(source.name)
        url = declared.url if declared is not None and declared.type == "url" else pin.url
        subject = f"source {source.name}"
        refuse_protocol(url, self._security, subject=subject)
        if declared is None and REDACTED in url:
            check = "its address has a secret that the lock does not hold, and --frozen reads no configuration"
            raise BytesUnavailable(
                subject=subject, check=check, remedy="sync without --frozen once, or bring the store along"
            )
        fetch_url(url, Digest.from_hex(pin.sha256), self._world, subject=subject, limits=self._limits)
        return PackedTree(source.tree)

    def _artifact(self, source: LockedSource, pin: OciPin) -> PackedTree:
        """By its digest: the tag may have moved on."""
        place = parse_reference(source.declared.reference or "")
        if not isinstance(place, RegistryReference):
            raise LockInvalid(
                subject=f"source {source.name}",
                check="the lock does not say where it is from",
                remedy="agent-sync update",
            )
        _, packed = fetch_artifact(
            replace(place, tag=None, digest=pin.digest),
            Globs(source.declared.exclude),
            self._world,
            subject=f"source {source.name}",
            limits=self._limits,
            security=self._security,
        )
        changes = source.tree.changes_to(packed.files)
        if changes:
            raise DigestMismatch(
                subject=f"source {source.name}",
                check=f"the artifact does not hold the locked files: {describe_changes(changes)}",
                remedy="restore the lock from version control, or make it again: agent-sync update",
            )
        return packed

    def _local(self, source: LockedSource) -> PackedTree:
        declared = None if self._config is None else self._config.source(source.name)
        seen = None
        if self._config is not None and declared is not None and declared.type == "local":
            seen = scan(declared, self._world, limits=limits_of(source.name, self._config))
        if seen is None:
            raise BytesUnavailable(
                subject=f"source {source.name}",
                check=f"the store does not have it, and nothing is read from {quoted(str(source.declared.path))}",
                remedy="bring the directory back, or the store along",
            )
        packed = pack_directory(seen.directory, seen.found, self._world, subject=f"source {source.name}")
        refuse_changed(source.name, source.tree, packed.files)
        return packed
