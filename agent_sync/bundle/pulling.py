"""A bundle from a place into the store. The order of trust is the order of lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.counting import Counted
from agent_sync.bundle.index import OpenedIndex, listed_manifest, opened
from agent_sync.bundle.items import Item
from agent_sync.bundle.lockfiles import read_lockfile
from agent_sync.bundle.opening import at_once
from agent_sync.bundle.parts import Part, parts_of
from agent_sync.bundle.revocable import digests_in
from agent_sync.bundle.signatures import Signatures, signatures_of
from agent_sync.bundle.trusted_roots import roots_at
from agent_sync.bundle.unpacking import unpack
from agent_sync.errors import BytesUnavailable, LimitExceeded, Untrusted
from agent_sync.lock import Lock
from agent_sync.lock.consistency import refuse_bad_digests
from agent_sync.lock.reading import read_lock
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import NotFound
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.trust.judging import RuleVerdict, Verdict, judge
from agent_sync_oci.trust.policy import Policy

if TYPE_CHECKING:
    from agent_sync.ports import World

_HEADERS_BYTES = 4096  # of a file in a tar, and of the folders that it is in


@dataclass(frozen=True, slots=True)
class Expected:
    """What the receiver demands of a bundle: the name it was signed for, and whom to believe.

    `own_lock` is the lockfile that the project has, `pinned` says that the place was named by digest: either vouches
    for an unsigned bundle where no rule asks for more, and so does `allow_unsigned`. `max_bytes` bounds each part whose
    length nobody vouches for.
    """

    name: str
    policy: Policy
    max_bytes: int
    own_lock: bytes | None = None
    pinned: bool = False
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """What lies in a bundle: its lock, as bytes and as read from them, and all that this needs."""

    content: bytes
    lock: Lock
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle: who vouches for it, by which signatures, and the trusted roots among those pinned that came with it.

    `inside` is None where nobody vouches for it: then nothing more was read.
    """

    bundle: OpenedIndex
    verdict: Verdict
    signatures: tuple[bytes, ...]
    roots: tuple[bytes, ...]
    inside: Inside | None


def find(wanted: Digest | str, registry: Registry, expected: Expected) -> tuple[Found, Inside]:
    """The bundle at that tag or digest, which may be used; nothing but manifests, signatures and the lock was fetched.

    Raises: Untrusted, ContentMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    found = judged(wanted, registry, expected.policy, name=expected.name)
    if not found.verdict.accepted or found.inside is None:
        raise Untrusted(
            subject=found.bundle.what,
            check="; ".join(found.verdict.refusals),
            remedy="`agent-sync bundle verify` explains each rule; have it signed by whom the policy names",
        )
    if not found.verdict.signed and found.inside.content != expected.own_lock:
        _refuse_unsigned(found, expected)
        _refuse_large(found.inside, expected.max_bytes)
    return found, found.inside


def judged(wanted: Digest | str, registry: Registry, policy: Policy, *, name: str) -> Found:
    """The bundle at that tag or digest, and the verdict on it.

    1 tag -> digest, which the bytes hash to; 2 who vouches for this digest under this name: if nobody does, nothing
    more is read; 3 the lock inside, whole and fit for use, and the index names what it needs; 4 nothing in it is
    revoked.

    Raises: ContentMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    bundle = opened(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    signatures = signatures_of(bundle.digest, registry)
    roots = roots_at(registry, policy.pinned_roots)
    verdict = _noting(
        judge(
            policy.with_roots(roots),
            name,
            bundle.digest,
            signatures.bundles,
            also=bundle.manifests,
            own_name=bundle.name,
        ),
        signatures,
    )
    if not verdict.accepted:
        return Found(bundle, verdict, signatures.bundles, roots, None)
    content = read_lockfile(bundle, registry)
    lock = _read(content, registry)
    parts = parts_of(bundle, lock)
    revoked = policy.revoked_among(_digests(content, parts, registry)) if policy.revoked else []
    verdict = replace(verdict, refusals=tuple(revoked))
    return Found(bundle, verdict, signatures.bundles, roots, Inside(content, lock, parts))


def fetch(inside: Inside, registry: Registry, world: World, *, max_bytes: int) -> tuple[Item, ...]:
    """Every part of the bundle is in the store, proved against the lock; those that were not there before come back.

    Raises: BytesUnavailable (a part is neither there nor here), ContentMismatch, LimitExceeded, LockInvalid, FileFault,
        and what reading from the registry raises.
    """
    missing = {part.item.blob: part for part in inside.parts if world.store.size(part.item.blob) is None}
    counted = Counted("fetching", len(missing), world)
    jobs = [partial(_fetch, part, registry, world, counted, max_bytes) for part in missing.values()]
    at_once(jobs, registry, world)
    return tuple(part.item for part in missing.values())


def _fetch(part: Part, registry: Registry, world: World, counted: Counted, max_bytes: int) -> dict[str, None]:
    try:
        manifest = listed_manifest(part.listed, registry)
        unpack(manifest, part.item, registry, world.store, max_bytes=max_bytes, check=world.cancellation.check)
    except NotFound as error:
        raise BytesUnavailable(
            subject=part.item.what,
            check=f"{registry.name} does not have it, and neither does the store",
            remedy="it was left out for who has an earlier bundle: bring the whole one, or pull that one first",
        ) from error
    counted.one_more()
    return {}


def _noting(verdict: Verdict, signatures: Signatures) -> Verdict:
    """The verdict, in which each rule also says what could not be read."""
    if not signatures.unread:
        return verdict
    rules = tuple(_passing_over(rule, signatures.unread) for rule in verdict.rules)
    unread = f"not read: {'; '.join(signatures.unread)}"
    return replace(verdict, rules=rules, refusals=(*verdict.refusals, unread) if verdict.refusals else ())


def _passing_over(rule: RuleVerdict, unread: tuple[str, ...]) -> RuleVerdict:
    return replace(rule, passed_over=(*rule.passed_over, *unread))


def _digests(content: bytes, parts: tuple[Part, ...], registry: Registry) -> frozenset[str]:
    """All that a revocation may name: what stands in the lock, and what the parts travel as."""
    manifests = (listed_manifest(part.listed, registry) for part in parts)
    return frozenset({*digests_in(content), *(layer.digest for manifest in manifests for layer in manifest.layers)})


def _refuse_unsigned(found: Found, expected: Expected) -> None:
    if not (expected.pinned or expected.allow_unsigned):
        raise Untrusted(
            subject=found.bundle.what,
            check="no rule says who must have signed it, and nothing else vouches for it",
            remedy=f"write a trust policy, name the place with @{found.bundle.digest}, or say --allow-unsigned",
        )


def _refuse_large(inside: Inside, max_bytes: int) -> None:
    """A lock that nobody vouches for does not decide how much of the disk is taken."""
    for item in (part.item for part in inside.parts):
        files = 0 if item.packed is None else len(item.packed.files)
        if item.size is not None and item.size > max_bytes + _HEADERS_BYTES * (files + 1):
            raise LimitExceeded(
                subject=item.what,
                check=f"the lock in the bundle says {item.size} bytes; `max_source_size` is {max_bytes}",
                remedy="raise `limits: max_source_size` in agent-sync.yaml, or pull a bundle that is signed",
            )


def _read(content: bytes, registry: Registry) -> Lock:
    where = f"the lockfile of the bundle in {registry.name}"
    lock = read_lock(content, file=where)
    refuse_bad_digests(lock, file=where)
    return lock
