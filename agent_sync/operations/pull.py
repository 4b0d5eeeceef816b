"""pull: a bundle from a registry, a layout directory or an archive, proved and in the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from agent_sync.bundle.names import bundle_name, tag_or_digest
from agent_sync.bundle.policy import TrustFiles, policy_of
from agent_sync.bundle.pull import (
    BundleContents,
    ResolvedBundle,
    VerificationRequest,
    fetch_parts,
    record_signers,
    require_same_signers,
    resolve_bundle,
)
from agent_sync.bundle.records import BundleRecord, record_bundle
from agent_sync.bundle.registry import open_registry
from agent_sync.errors import LimitExceeded, LockInvalid, LockStale, UnsafePath
from agent_sync.lock import Lock
from agent_sync.lock.difference import LockDifference, difference
from agent_sync.lock.reader import read_lock
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.recover import exclusive_access
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference
from agent_sync_oci.trust.verdict import Verdict


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Where from, and what is let pass where no policy says more."""

    place: Reference
    name: str | None = None
    write_lock: bool = False
    allow_unsigned: bool = False
    accept_signer_change: bool = False
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """What came: the bundle, the verdict on it, what its lock changes here, the titles of the parts that were fetched,
    and whether the lock was written. `declined`: nothing was fetched, and everything is as it was.
    """

    name: str
    digest: Digest
    verdict: Verdict
    difference: LockDifference
    fetched: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    lock_written: bool = False
    declined: bool = False


def pull(inputs: Inputs, request: PullRequest, *, confirm: Callable[[PullResult], bool] | None = None) -> PullResult:
    """Everything that the bundle's lock needs is in the store.

    1 the bundle, judged, and the lock in it; 2 its signers are who they were; 3 its lock is this project's, or is to
    become it, which `confirm` is asked about; 4 its parts, each proved against the lock; 5 the store remembers who
    vouched; 6 the lock is written.

    Raises: Untrusted, DigestMismatch, LockInvalid, LockStale (another lock is here already), LimitExceeded,
        BytesUnavailable (parts of it are nowhere), NetworkError, ProjectBusy, FileSystemError, UsageError.
    """
    world, limits = inputs.world, inputs.demands.limits
    name = bundle_name(request.place, asked=request.name, configured=inputs.bundle_name)
    wanted = tag_or_digest(request.place)
    with (
        exclusive_access(inputs) if request.write_lock else nullcontext(),
        open_registry(request.place, world, limits, plain_http=request.plain_http) as registry,
    ):
        own = inputs.lock_file.content()
        found, inside = resolve_bundle(wanted, registry, _expected(inputs, request, name=name, own=own))
        require_same_signers(name, found, world.records, accepted=request.accept_signer_change)
        proposal = _proposal(name, found, inside, own)
        if inside.content != own:
            _refuse_other_lock(found, own, inputs, write_lock=request.write_lock)
            if confirm is not None and not confirm(proposal):
                return replace(proposal, declined=True)
        fetched = {item.title for item in fetch_parts(inside, registry, world, max_bytes=limits.max_source_size)}
        _remember(name, found, inside, inputs)
        written = request.write_lock and inputs.lock_file.replace(inside.content)
    titles = [part.item.title for part in inside.parts]
    return replace(
        proposal,
        fetched=tuple(title for title in titles if title in fetched),
        present=tuple(title for title in titles if title not in fetched),
        lock_written=written,
    )


def _expected(inputs: Inputs, request: PullRequest, *, name: str, own: bytes | None) -> VerificationRequest:
    return VerificationRequest(
        name=name,
        policy=policy_of(inputs.demands.trust, TrustFiles(inputs.world.project, inputs.world.read_file)),
        max_bytes=inputs.demands.limits.max_source_size,
        own_lock=own,
        pinned=request.place.digest is not None,
        allow_unsigned=request.allow_unsigned,
    )


def _proposal(name: str, found: ResolvedBundle, inside: BundleContents, own: bytes | None) -> PullResult:
    return PullResult(name, found.bundle.digest, found.verdict, difference(_read_own(own), inside.lock))


def _read_own(content: bytes | None) -> Lock | None:
    """The lock that is here; one that cannot be read has nothing that could be compared."""
    try:
        return None if content is None else read_lock(content)
    except (LockInvalid, UnsafePath, LimitExceeded):
        return None


def _refuse_other_lock(found: ResolvedBundle, own: bytes | None, inputs: Inputs, *, write_lock: bool) -> None:
    """A bundle for another lock would fill the store with what this project does not use."""
    if not write_lock:
        raise LockStale(
            subject=inputs.lock_file.shown,
            check="there is none yet" if own is None else f"it is not the lock of bundle {found.bundle.digest}",
            remedy="take the bundle's: --write-lock"
            if own is None
            else "pull the bundle that was pushed for it; or take the bundle's: --write-lock",
        )


def _remember(name: str, found: ResolvedBundle, inside: BundleContents, inputs: Inputs) -> None:
    """What was pulled stays in the store, and so does who vouched for it."""
    world = inputs.world
    world.roots.remember(inside.content, path=inputs.lock_file.path)
    kept = BundleRecord(name, found.bundle, found.signatures, found.roots)
    record_bundle(kept, inside.content, world.store, world.records)
    record_signers(name, found, world.records)
