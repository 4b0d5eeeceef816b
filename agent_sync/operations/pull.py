"""pull: fetch a bundle from a registry, a layout directory, or an archive into the cache, verified."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from agent_sync.bundle.index import name_to_verify
from agent_sync.bundle.names import tag_or_digest
from agent_sync.bundle.pull import (
    BundleContents,
    ResolvedBundle,
    VerificationRequest,
    fetch_parts,
    record_signers,
    require_same_signers,
    resolve_bundle,
)
from agent_sync.bundle.registry import open_registry
from agent_sync.bundle.trust import BundleRecord, policy_of, record_bundle
from agent_sync.errors import LimitExceeded, LockInvalid, LockStale, UnsafePath
from agent_sync.events import BundleAccepted
from agent_sync.lock import Lock
from agent_sync.lock.difference import LockDifference, difference
from agent_sync.lock.file import read_lock
from agent_sync.operations.inputs import Inputs, Run
from agent_sync.operations.phases import (
    audited,
    exclusive_access,
    replace_lock,
    require_recovered,
    retry_if_moved,
)
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.trust import Verdict


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Where to pull from, and what is accepted where no policy says more."""

    reference: Reference
    name: str | None = None
    write_lock: bool = False
    allow_unsigned: bool = False
    accept_signer_change: bool = False
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """The bundle, the verdict on it, what its lock changes here, and the titles of its parts: fetched, or present.

    `declined`: nothing was fetched, and everything is as it was.
    """

    name: str
    digest: Digest
    verdict: Verdict
    difference: LockDifference
    fetched: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    lock_written: bool = False
    declined: bool = False


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A bundle that the policies accept, and what its lock changes here."""

    inputs: Inputs
    request: PullRequest
    found: ResolvedBundle
    contents: BundleContents
    result: PullResult

    @property
    def replaces_lock(self) -> bool:
        """Whether the bundle's lock is another than the one that is here."""
        return self.contents.content != self.inputs.lock_content()


def pull(run: Run, request: PullRequest, *, confirm: Callable[[PullResult], bool] | None = None) -> PullResult:
    """Fetch everything that the bundle's lock needs into the cache.

    `confirm` asks a person whether the bundle's lock may replace the one that is here. The project is held while the
    lock is written, and not while parts are fetched or a person reads.

    Raises: what `plan` and `execute` raise. MovedMeanwhile: with `confirm`, the answer was to another question.
    """

    def attempt() -> PullResult:
        inputs = run.inputs_if_declared()
        if request.write_lock:  # else nothing of the project is written, and an interrupted sync is no obstacle
            require_recovered(inputs)
        limits = inputs.demands.limits
        with open_registry(request.reference, inputs.world, limits, plain_http=request.plain_http) as registry:
            planned = plan(inputs, request, registry)
            if planned.replaces_lock and confirm is not None and not confirm(planned.result):
                return replace(planned.result, declined=True)
            return execute(planned, registry)

    return retry_if_moved(attempt, asked=confirm is not None)


def plan(inputs: Inputs, request: PullRequest, registry: Registry) -> PullPlan:
    """Resolve the bundle, judge it, and compare its lock with the one that is here.

    1 the bundle, judged by the policies, and the lock in it; 2 its signers are who they were; 3 its lock is this
    project's, or may become it.

    Raises: Untrusted, DigestMismatch, LockInvalid, LockStale (another lock is here already), LimitExceeded,
        NetworkError, FileSystemError, UsageError.
    """
    name = name_to_verify(request.reference, registry, asked=request.name, configured=inputs.bundle_name)
    own = inputs.lock_content()  # bytes: a lock is signed as it is spelled
    expected = _expected(inputs, request, name=name, own=own)
    found, contents = resolve_bundle(tag_or_digest(request.reference), registry, expected)
    require_same_signers(name, found, inputs.world.records, accepted=request.accept_signer_change)
    if contents.content != own and not request.write_lock:
        raise _other_lock(found, own, inputs)
    changes = difference(_comparable(own), contents.lock)
    return PullPlan(inputs, request, found, contents, PullResult(name, found.bundle.digest, found.verdict, changes))


def execute(planned: PullPlan, registry: Registry) -> PullResult:
    """Fetch the parts, each proved against the lock; record the bundle and its signers; and write the lock.

    Raises: BytesUnavailable (parts of it are nowhere), DigestMismatch, LimitExceeded, NetworkError, FileSystemError,
        ProjectBusy, MovedMeanwhile.
    """
    inputs, contents, result = planned.inputs, planned.contents, planned.result
    max_bytes = inputs.demands.limits.max_source_size
    fetched = {item.title for item in fetch_parts(contents, registry, inputs.world, max_bytes=max_bytes)}
    accepted = BundleAccepted(result.name, result.digest, signed=result.verdict.signed)
    # Without --write-lock nothing of the project is written, and nobody need wait.
    with exclusive_access(inputs) if planned.request.write_lock else nullcontext(), audited(inputs, accepted):
        _record(planned)
        written = planned.request.write_lock and replace_lock(inputs, contents.content)
    # In the order of the bundle, whatever arrived first.
    titles = [part.item.title for part in contents.parts]
    return replace(
        result,
        fetched=tuple(title for title in titles if title in fetched),
        present=tuple(title for title in titles if title not in fetched),
        lock_written=written,
    )


def _expected(inputs: Inputs, request: PullRequest, *, name: str, own: bytes | None) -> VerificationRequest:
    return VerificationRequest(
        name=name,
        policy=policy_of(inputs.demands.trust, inputs.trust_files()),
        max_bytes=inputs.demands.limits.max_source_size,
        own_lock=own,
        pinned=request.reference.digest is not None,
        allow_unsigned=request.allow_unsigned,
    )


def _comparable(content: bytes | None) -> Lock | None:
    """Return the lock that is here; None for one that cannot be read, since it has nothing to compare."""
    try:
        return None if content is None else read_lock(content)
    except (LockInvalid, UnsafePath, LimitExceeded):
        return None


def _other_lock(found: ResolvedBundle, own: bytes | None, inputs: Inputs) -> LockStale:
    """Return the error for a bundle of another lock: it would fill the cache with what this project does not use."""
    label = inputs.lock_file.label
    if own is None:
        return LockStale(subject=label, check="not found", remedy="take the bundle's: --write-lock")
    return LockStale(
        subject=label,
        check=f"is not the lock of bundle {found.bundle.digest}",
        remedy="pull the bundle that was pushed for it; or take the bundle's: --write-lock",
    )


def _record(planned: PullPlan) -> None:
    """Record in the cache what was pulled, so that it is not reclaimed, and who signed it."""
    world, content, found = planned.inputs.world, planned.contents.content, planned.found
    world.roots.remember(content, path=planned.inputs.lock_file.path)
    record = BundleRecord(planned.result.name, found.bundle, found.signatures, found.roots)
    record_bundle(record, content, world.store, world.records)
    record_signers(planned.result.name, found, world.records)
