"""Resolve and refetch git sources; those of one repository share one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.config import limits_of, signed_of
from agent_sync.errors import AgentSyncError, Cancelled, DigestMismatch, LockInvalid
from agent_sync.limits import MEGABYTE, Limits
from agent_sync.lock import GitPin, LockedSource, PackedTree
from agent_sync.sources.base import declared, differing_fields, refuse_offline, refuse_to_ask
from agent_sync.sources.git.pack import Request, named, pack_commits
from agent_sync.sources.git.refs import ResolvedRef, is_whole_id, resolve_ref
from agent_sync.sources.git.signatures import refuse_repository, verify_signatures, warn_of_protocol
from agent_sync.tree import describe_changes

if TYPE_CHECKING:
    from agent_sync.config import Config, Policy
    from agent_sync.config.model import GitSource
    from agent_sync.lock import Lock
    from agent_sync.ports import BlobStore, GitRepository, World

# A bound on a source's files bounds the transfer too, but commits and the names of all other files come along.
_BESIDE_FILES_BYTES = 50 * MEGABYTE


def resolve_git(
    sources: Sequence[GitSource], config: Config, previous: Lock | None, world: World
) -> Mapping[str, LockedSource | AgentSyncError]:
    """By name: each of these sources of one repository as it is upstream now, its bytes in the store, or its error.

    A source whose commit and declaration are those of `previous` is not fetched again if the store has its bytes: then
    the repository is asked for names and ids alone, which prove that what `previous` says of it is true.
    """
    outcomes: dict[str, LockedSource | AgentSyncError] = {}
    requests: list[Request] = []
    with _recording_failure(sources, outcomes.setdefault), _opened(sources, config, world) as repository:
        for source in sources:
            with _recording_failure([source], outcomes.setdefault):
                chosen = _resolved_ref(source, repository, world)
                known = _known(source, chosen, previous, world.store)
                requests.append(_request(source, chosen, config, world, known=known))
        for name, outcome in pack_commits(requests, repository, world).items():
            outcomes[name] = outcome if isinstance(outcome, AgentSyncError) else _locked(name, requests, outcome)
    return {source.name: outcomes[source.name] for source in sources}


def upstream_commits(sources: Sequence[GitSource], config: Config, world: World) -> Mapping[str, str | AgentSyncError]:
    """By name: the commit that each of these sources of one repository would be locked to now; no file is fetched."""
    commits: dict[str, str | AgentSyncError] = {}
    with _recording_failure(sources, commits.setdefault), _opened(sources, config, world) as repository:
        for source in sources:
            with _recording_failure([source], commits.setdefault):
                commits[source.name] = _resolved_ref(source, repository, world).commit
    return commits


def refetch_git(
    locked: Sequence[LockedSource], world: World, *, limits: Limits, security: Policy
) -> Mapping[str, PackedTree | AgentSyncError]:
    """By name: the packed tree of these locked sources of one repository, in the store again, or why it is not.

    Their commits are fetched by id, whatever their refs mean today; what comes must be what the lock says (spec §5.1).
    """
    outcomes: dict[str, PackedTree | AgentSyncError] = {}
    with _recording_failure(locked, outcomes.setdefault):
        refuse_offline(locked[0].name, world)
        repo = _repository_of(locked)
        refuse_repository(repo, security, subject=f"source {locked[0].name}")
        pins = {source.name: source.pin for source in locked if isinstance(source.pin, GitPin)}
        requests = [Request(each.name, pins[each.name].commit, each.declared, limits) for each in locked]
        with _open(repo, [limits], world) as repository:
            packed = pack_commits(requests, repository, world)
        for name, outcome in packed.items():
            outcomes[name] = outcome if isinstance(outcome, AgentSyncError) else _as_locked(name, pins[name], outcome)
    return outcomes


def _resolved_ref(source: GitSource, repository: GitRepository, world: World) -> ResolvedRef:
    return resolve_ref(source.ref, repository, subject=f"source {source.name}", observer=world.observer)


def _known(source: GitSource, chosen: ResolvedRef, previous: Lock | None, store: BlobStore) -> PackedTree | None:
    """What the previous lock says of this commit, if it was asked the same, and if the store may have the bytes."""
    locked = None if previous is None else previous.source(source.name)
    if locked is None or not isinstance(locked.pin, GitPin) or locked.pin.packed.blob is None:
        return None
    if locked.pin.commit != chosen.commit or differing_fields(source, locked):
        return None
    return locked.pin.packed if store.size(locked.pin.packed.blob) == locked.pin.packed.size else None


def _request(
    source: GitSource, chosen: ResolvedRef, config: Config, world: World, *, known: PackedTree | None
) -> Request:
    demanded = signed_of(source.name, config)
    return Request(
        name=source.name,
        oid=chosen.oid if "tag" in demanded else chosen.commit,
        declared=declared(source),
        limits=limits_of(source.name, config),
        verify=partial(_verify, source.name, chosen, config, world) if demanded else None,
        known=known,
    )


def _verify(name: str, chosen: ResolvedRef, config: Config, world: World, repository: GitRepository) -> None:
    verify_signatures(name, chosen, repository, config, world)


def _locked(name: str, requests: Sequence[Request], pin: GitPin) -> LockedSource:
    return LockedSource(name, next(request.declared for request in requests if request.name == name), pin)


def _as_locked(name: str, pin: GitPin, found: GitPin) -> PackedTree | DigestMismatch:
    """Return what was fetched if it is what was locked, else the error that says what differs.

    A lock of another implementation has no packed form to compare.
    """
    changes = pin.packed.files.changes_to(found.packed.files)
    if changes:
        check = f"commit {pin.commit} does not hold the locked files: {describe_changes(changes)}"
    elif found.tree != pin.tree:
        check = f"commit {pin.commit} has the tree {found.tree}, the lock says {pin.tree}"
    elif pin.packed.blob not in (None, found.packed.blob):
        check = f"the files of commit {pin.commit} have the canonical tar {found.packed.blob}, the lock says"
        check += f" {pin.packed.blob}"
    else:
        return found.packed
    return DigestMismatch(
        subject=f"source {name}",
        check=check,
        remedy=f"the lock is wrong, or was changed by hand: agent-sync update {name}",
    )


def _repository_of(locked: Sequence[LockedSource]) -> str:
    repo = locked[0].declared.repo
    if repo is None:
        raise LockInvalid(
            subject=f"source {locked[0].name}",
            check="the lock does not say which repository it comes from",
            remedy=f"lock it again: agent-sync update {locked[0].name}",
        )
    return repo


@contextmanager
def _opened(sources: Sequence[GitSource], config: Config, world: World) -> Iterator[GitRepository]:
    """The one repository of these sources, if it may be asked."""
    refuse_to_ask(sources[0].name, world)
    repo, subject = sources[0].repo, f"source {sources[0].name}"
    refuse_repository(repo, config.security, subject=subject)
    warn_of_protocol(repo, world, subject=subject)
    with _open(repo, [limits_of(source.name, config) for source in sources], world) as repository:
        if not all(is_whole_id(source.ref) for source in sources):
            repository.advertised()  # here, where it fails for all of them at once: a remote that is down is asked once
        yield repository


def _open(repo: str, limits: Sequence[Limits], world: World) -> AbstractContextManager[GitRepository]:
    return world.git.open(
        repo,
        timeout_s=max(each.fetch_timeout_s for each in limits),
        max_bytes=max(each.max_source_size for each in limits) + _BESIDE_FILES_BYTES,
        cancellation=world.cancellation,
    )


@contextmanager
def _recording_failure(
    sources: Sequence[GitSource | LockedSource], settle: Callable[[str, AgentSyncError], object]
) -> Iterator[None]:
    """What is raised within is the outcome of these sources, of those that have none yet."""
    try:
        yield
    except Cancelled:
        raise
    except AgentSyncError as error:
        for source in sources:
            settle(source.name, named(error, f"source {source.name}"))
