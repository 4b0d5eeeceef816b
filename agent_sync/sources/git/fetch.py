"""Resolve, check and refetch git sources; those of one repository share one connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.errors import AgentSyncError, Cancelled, DigestMismatch, LockInvalid, NetworkError
from agent_sync.limits import MEGABYTE, Limits
from agent_sync.sources.base import Pinned, UpstreamState, changed_fields, require_online, require_upstream
from agent_sync.sources.git import GitPinned
from agent_sync.sources.git.pack import Wanted, named, pack_commits
from agent_sync.sources.git.refs import (
    ResolvedRef,
    is_whole_id,
    require_repository,
    required_signatures,
    resolve_ref,
    verify_signatures,
    warn_of_protocol,
)
from agent_sync.tree import RelPath, describe_changes
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from agent_sync.ports import GitRepository, World
    from agent_sync.sources.base import Context, Outcomes
    from agent_sync.sources.content import Content, PackedTree
    from agent_sync.sources.git import GitPin, GitRequest

# A limit on a source's files limits the transfer too, but commits and the names of all other files come along.
_BESIDE_FILES_BYTES = 50 * MEGABYTE
_OWNER_AND_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")


def resolve_git(requests: Sequence[GitRequest], context: Context) -> Outcomes[GitPinned]:
    """Resolve sources of one repository, and fetch their files to the cache.

    A source whose commit and declaration are those of the lock is not fetched again if its files are cached: then the
    repository is asked for names and ids alone, which prove that the lock is true.
    """
    world = context.world
    outcomes: dict[str, GitPinned | AgentSyncError] = {}
    wanted: list[Wanted] = []
    with _recording_failure(requests, outcomes.setdefault), _opened(requests, world) as repository:
        for request in requests:
            with _recording_failure([request], outcomes.setdefault):
                wanted.append(_wanted(request, _resolved_ref(request, repository, world), world))
        declared = {request.name: request.declared.recorded() for request in requests}
        for name, outcome in pack_commits(wanted, repository, context).items():
            if isinstance(outcome, AgentSyncError):
                outcomes[name] = outcome
            else:
                outcomes[name] = Pinned(name, declared[name], outcome)
    return {request.name: outcomes[request.name] for request in requests}


def check_git(requests: Sequence[GitRequest], context: Context) -> Outcomes[UpstreamState]:
    """Compare the commits that sources of one repository would be locked to now with the lock; no file is fetched."""
    states: dict[str, UpstreamState | AgentSyncError] = {}
    with _recording_failure(requests, states.setdefault), _opened(requests, context.world) as repository:
        for request in requests:
            with _recording_failure([request], states.setdefault):
                commit = _resolved_ref(request, repository, context.world).commit
                same = request.locked is not None and request.locked.pin.commit == commit
                states[request.name] = UpstreamState(same, commit[:12])
    return states


def refetch_git(requests: Sequence[GitRequest], context: Context) -> Outcomes[Content]:
    """Fetch the locked commits of one repository by id, whatever their refs mean today (spec §5.1)."""
    outcomes: dict[str, Content | AgentSyncError] = {}
    with _recording_failure(requests, outcomes.setdefault):
        first = requests[0]
        require_online(first.name, context.world)
        repo = _locked_repository(first)
        require_repository(repo, first.policy, subject=first.subject)
        wanted = [Wanted(each.name, each.pinned.pin.commit, each.pinned.declaration, each.limits) for each in requests]
        with _open(repo, [each.limits for each in requests], context.world) as repository:
            packed = pack_commits(wanted, repository, context)
        pins = {each.name: each.pinned.pin for each in requests}
        for name, outcome in packed.items():
            outcomes[name] = outcome if isinstance(outcome, AgentSyncError) else _as_locked(name, pins[name], outcome)
    return outcomes


def _resolved_ref(request: GitRequest, repository: GitRepository, world: World) -> ResolvedRef:
    return resolve_ref(request.declared.ref, repository, source=request.name, observer=world.observer)


def _wanted(request: GitRequest, ref: ResolvedRef, world: World) -> Wanted:
    required = required_signatures(request)
    return Wanted(
        name=request.name,
        oid=ref.oid if "tag" in required else ref.commit,
        declared=request.declared.recorded(),
        limits=request.limits,
        verify=partial(_verify, request, ref, world) if required else None,
        known=_known(request, ref, world),
    )


def _verify(request: GitRequest, ref: ResolvedRef, world: World, repository: GitRepository) -> None:
    verify_signatures(request, ref, repository, world)


def _known(request: GitRequest, ref: ResolvedRef, world: World) -> PackedTree | None:
    """Return what the lock says of this commit, if its declaration was the same and its files may be cached."""
    locked = request.locked
    if locked is None or locked.pin.packed.blob is None:
        return None
    if locked.pin.commit != ref.commit or changed_fields(request.declared, locked):
        return None
    return locked.pin.packed if world.store.size(locked.pin.packed.blob) == locked.pin.packed.size else None


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
        subject=f"source {name}", check=check, remedy=f"the lock is wrong, or was edited: agent-sync update {name}"
    )


def _locked_repository(request: GitRequest) -> str:
    if not request.pinned.declaration.repo:
        raise LockInvalid(
            subject=request.subject,
            check="the lock does not name its repository",
            remedy=f"lock it again: agent-sync update {request.name}",
        )
    return request.pinned.declaration.repo


@contextmanager
def _opened(requests: Sequence[GitRequest], world: World) -> Iterator[GitRepository]:
    """Open the one repository of these sources, if it may be contacted."""
    first = requests[0]
    require_upstream(first.name, world)
    require_repository(first.declared.repo, first.policy, subject=first.subject)
    warn_of_protocol(first, world)
    _require_directory(first, world)
    with _open(first.declared.repo, [request.limits for request in requests], world) as repository:
        if not all(is_whole_id(request.declared.ref) for request in requests):
            repository.advertised()  # here, where it fails for all of them at once: a remote that is down is asked once
        yield repository


def _require_directory(request: GitRequest, world: World) -> None:
    """Raise NetworkError if the address is a path like `owner/name` that is not there: a hosted repository is meant."""
    repo = request.declared.repo
    if _OWNER_AND_NAME.fullmatch(repo) and world.project.stat(RelPath(repo)) is None:
        raise NetworkError(
            subject=f"{request.subject}, {quoted(repo)}",
            check="no such directory",
            remedy=f"did you mean https://github.com/{repo}?",
        )


def _open(repo: str, limits: Sequence[Limits], world: World) -> AbstractContextManager[GitRepository]:
    return world.git.open(
        repo,
        timeout_s=max(each.fetch_timeout_s for each in limits),
        max_bytes=max(each.max_source_size for each in limits) + _BESIDE_FILES_BYTES,
        cancellation=world.cancellation,
    )


@contextmanager
def _recording_failure(
    requests: Sequence[GitRequest], record: Callable[[str, AgentSyncError], object]
) -> Iterator[None]:
    """Record what is raised within as the outcome of these sources, of those that have none yet."""
    try:
        yield
    except Cancelled:
        raise
    except AgentSyncError as error:
        for request in requests:
            record(request.name, named(error, request.subject))
