"""pull: a bundle from a registry, a layout folder or an archive, proved and in the store."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.bundle.kept import keep
from agent_sync.bundle.naming import bundle_name, wanted_at
from agent_sync.bundle.opening import opened_place
from agent_sync.bundle.policy import TrustFiles, policy_of
from agent_sync.bundle.pulling import Expected, Found, fetch, find
from agent_sync.bundle.signer_change import refuse_other_signers, remember_signers
from agent_sync.errors import LockIsStale
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Place
from agent_sync_oci.trust.judging import Verdict


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Where from, and what is let pass where no policy says more."""

    place: Place
    name: str | None = None
    write_lock: bool = False
    allow_unsigned: bool = False
    accept_signer_change: bool = False
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """What came: the bundle, the verdict on it, the titles of the parts that were fetched, and whether the lock was
    written.
    """

    name: str
    digest: Digest
    verdict: Verdict
    fetched: tuple[str, ...]
    present: tuple[str, ...]
    lock_written: bool


def pull(inputs: Inputs, request: PullRequest) -> PullResult:
    """Everything that the bundle's lock needs is in the store.

    1 the bundle, judged, and the lock in it; 2 its signers are who they were; 3 its lock is this project's, or becomes
    it; 4 its parts, each proved against the lock; 5 the store remembers who vouched; 6 the lock is written.

    Raises: Untrusted, ContentMismatch, LockInvalid, LockIsStale (another lock is here already), LimitExceeded,
        NetworkError, FileFault, UsageWrong.
    """
    world = inputs.world
    limits = inputs.demands.limits
    name = bundle_name(request.place, asked=request.name, configured=inputs.bundle_name)
    own = inputs.lock_file.content()
    expected = Expected(
        name=name,
        policy=policy_of(inputs.demands.trust, TrustFiles(world.project, world.read_file)),
        max_bytes=limits.max_source_size,
        own_lock=own,
        pinned=request.place.digest is not None,
        allow_unsigned=request.allow_unsigned,
    )
    with opened_place(request.place, world, limits, plain_http=request.plain_http) as registry:
        found = find(wanted_at(request.place), registry, expected)
        refuse_other_signers(name, found, world.store, accepted=request.accept_signer_change)
        _refuse_other_lock(found, own, inputs, write_lock=request.write_lock)
        fetched = fetch(found, registry, world, max_bytes=limits.max_source_size)
    keep(found.bundle, found.content, found.signatures, world.store, root=found.root)
    remember_signers(name, found, world.store)
    written = request.write_lock and inputs.lock_file.replace(found.content)
    world.store.remember(found.content, path=inputs.lock_file.path)
    titles = tuple(item.title for item in fetched)
    return PullResult(
        name=name,
        digest=found.bundle.index.digest,
        verdict=found.verdict,
        fetched=titles,
        present=tuple(title for title, _ in found.bundle.parts if title not in titles),
        lock_written=written,
    )


def _refuse_other_lock(found: Found, own: bytes | None, inputs: Inputs, *, write_lock: bool) -> None:
    """A bundle for another lock would fill the store with what this project does not use."""
    if not write_lock and own != found.content:
        raise LockIsStale(
            subject=inputs.lock_file.shown,
            check="there is none yet" if own is None else f"it is not the lock of bundle {found.bundle.index.digest}",
            remedy="take the bundle's: --write-lock"
            if own is None
            else "pull the bundle that was pushed for it; or take the bundle's: --write-lock",
        )
