"""A bundle from a place into the store. The order of trust is the order of lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.index import OpenedIndex, opened
from agent_sync.bundle.items import Item, items_of
from agent_sync.bundle.lockfiles import read_lockfile
from agent_sync.bundle.revocable import digests_in
from agent_sync.bundle.signatures import signatures_of
from agent_sync.bundle.trusted_roots import root_in
from agent_sync.bundle.unpacking import unpack
from agent_sync.errors import ContentMismatch, Untrusted
from agent_sync.lock import Lock
from agent_sync.lock.consistency import refuse_bad_digests
from agent_sync.lock.reading import read_lock
from agent_sync.resolve.side_by_side import side_by_side
from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.trust.judging import Verdict, judge
from agent_sync_oci.trust.policy import Policy

if TYPE_CHECKING:
    from agent_sync.ports import World


@dataclass(frozen=True, slots=True)
class Expected:
    """What the receiver demands of a bundle: the name it was signed for, and whom to believe.

    `own_lock` is the lockfile that the project has, `pinned` says that the place was named by digest: either vouches
    for an unsigned bundle where no rule asks for more, and so does `allow_unsigned`. `max_bytes` bounds each part whose
    length the lock does not tell.
    """

    name: str
    policy: Policy
    max_bytes: int
    own_lock: bytes | None = None
    pinned: bool = False
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle: who vouches for it, the trusted root that came with it, and, if it may be used, the lock in it."""

    bundle: OpenedIndex
    verdict: Verdict
    signatures: tuple[bytes, ...]
    root: bytes | None
    content: bytes
    lock: Lock


def find(wanted: Digest | str, registry: Registry, expected: Expected) -> Found:
    """The bundle at that tag or digest, which may be used; nothing but manifests, signatures and the lock was fetched.

    Raises: Untrusted, ContentMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    found = judged(wanted, registry, expected.policy, name=expected.name)
    if not found.verdict.accepted:
        raise Untrusted(
            subject=_bundle(found.bundle),
            check="; ".join(found.verdict.refusals),
            remedy="`agent-sync bundle verify` explains each rule; have it signed by whom the policy names",
        )
    if not found.verdict.signed:
        _refuse_unsigned(found, expected)
    return found


def judged(wanted: Digest | str, registry: Registry, policy: Policy, *, name: str) -> Found:
    """The bundle at that tag or digest, and the verdict on it.

    1 tag -> digest, which the bytes hash to; 2 who vouches for this digest under this name: if nobody does, nothing
    more is read; 3 the lock inside, whole and fit for use; 4 nothing in it is revoked.

    Raises: ContentMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    bundle = opened(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    signatures = signatures_of(bundle.index.digest, registry)
    root = root_in(registry) if policy.pinned_roots else None
    whole = policy if root is None else policy.with_roots((root,))
    verdict = judge(whole, name, bundle.index.digest, signatures, also=_named(bundle))
    if not verdict.accepted:
        return Found(bundle, verdict, signatures, root, b"", Lock())
    content = read_lockfile(bundle, registry)
    revoked = tuple(policy.revoked_among(digests_in(content)))
    return Found(bundle, replace(verdict, refusals=revoked), signatures, root, content, _read(content, registry))


def fetch(found: Found, registry: Registry, world: World, *, max_bytes: int) -> tuple[Item, ...]:
    """Every part of the bundle is in the store, proved against the lock; those that were not there before come back.

    Raises: ContentMismatch, LimitExceeded, LockInvalid, FileFault, and what reading from the registry raises.
    """
    parts = dict(found.bundle.parts)
    missing = {item.blob: item for item in items_of(found.lock) if world.store.size(item.blob) is None}
    jobs = [partial(_fetch, item, parts, registry, world, max_bytes) for item in missing.values()]
    side_by_side(jobs, cancellation=world.cancellation)
    return tuple(missing.values())


def _fetch(item: Item, parts: dict[str, Digest], registry: Registry, world: World, max_bytes: int) -> dict[str, None]:
    if item.title not in parts:
        raise ContentMismatch(
            subject=item.what, check="the bundle's index does not name it", remedy="push the bundle again"
        )
    unpack(registry.manifest(parts[item.title]), item, registry, world.store, max_bytes=max_bytes)
    return {}


def _named(bundle: OpenedIndex) -> frozenset[str]:
    return frozenset(_digests(bundle))


def _digests(bundle: OpenedIndex) -> Iterator[str]:
    yield bundle.lockfile
    for _, digest in bundle.parts:
        yield digest


def _refuse_unsigned(found: Found, expected: Expected) -> None:
    if not (expected.pinned or expected.allow_unsigned or found.content == expected.own_lock):
        raise Untrusted(
            subject=_bundle(found.bundle),
            check="no rule says who must have signed it, and nothing else vouches for it",
            remedy=f"write a trust policy, name the place with @{found.bundle.index.digest}, or say --allow-unsigned",
        )


def _bundle(bundle: OpenedIndex) -> str:
    return f"bundle {bundle.name} {bundle.index.digest}"


def _read(content: bytes, registry: Registry) -> Lock:
    where = f"the lockfile of the bundle in {registry.name}"
    lock = read_lock(content, file=where)
    refuse_bad_digests(lock, file=where)
    return lock
