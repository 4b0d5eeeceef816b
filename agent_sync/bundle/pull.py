"""Pull a bundle into the cache, and notice when other signers than the last time have signed it.

The order of trust is the order of lines.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.index import BundleIndex, Part, fetch_manifest, parse_index, parts_of, read_lockfile
from agent_sync.bundle.items import Item
from agent_sync.bundle.pack import unpack
from agent_sync.bundle.records import revocable_digests
from agent_sync.bundle.registry import ProgressCounter, run_jobs
from agent_sync.bundle.sign import Signatures, find_roots, find_signatures
from agent_sync.errors import BytesUnavailable, LimitExceeded, NotFound, Untrusted
from agent_sync.lock import Lock
from agent_sync.lock.file import check_digests, read_lock
from agent_sync.ports import RecordStore
from agent_sync.store.records import SIGNERS
from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.signers import KeySigner, Signer
from agent_sync_oci.strict_json import canonical_json
from agent_sync_oci.text import quoted
from agent_sync_oci.trust.policy import Policy
from agent_sync_oci.trust.verdict import RuleVerdict, Verdict, evaluate

if TYPE_CHECKING:
    from agent_sync.ports import World


# -- A bundle from a place into the store. The order of trust is the order of lines.

_HEADERS_BYTES = 4096  # of a file in a tar, and of the directories that it is in


@dataclass(frozen=True, slots=True)
class VerificationRequest:
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
class BundleContents:
    """What lies in a bundle: its lock, as bytes and as read from them, and all that this needs."""

    content: bytes
    lock: Lock
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ResolvedBundle:
    """A bundle: who vouches for it, by which signatures, and the trusted roots among those pinned that came with it.

    `inside` is None where nobody vouches for it: then nothing more was read.
    """

    bundle: BundleIndex
    verdict: Verdict
    signatures: tuple[bytes, ...]
    roots: tuple[bytes, ...]
    inside: BundleContents | None


def resolve_bundle(
    wanted: Digest | str, registry: Registry, expected: VerificationRequest
) -> tuple[ResolvedBundle, BundleContents]:
    """The bundle at that tag or digest, which may be used; nothing but manifests, signatures and the lock was fetched.

    Raises: Untrusted, DigestMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    found = verify_bundle(wanted, registry, expected.policy, name=expected.name)
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


def verify_bundle(wanted: Digest | str, registry: Registry, policy: Policy, *, name: str) -> ResolvedBundle:
    """The bundle at that tag or digest, and the verdict on it.

    1 tag -> digest, which the bytes hash to; 2 who vouches for this digest under this name: if nobody does, nothing
    more is read; 3 the lock inside, whole and fit for use, and the index names what it needs; 4 nothing in it is
    revoked.

    Raises: DigestMismatch, LockInvalid, LimitExceeded, and what reading from the registry raises.
    """
    bundle = parse_index(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    signatures = find_signatures(bundle.digest, registry)
    roots = find_roots(registry, policy.pinned_roots)
    verdict = _with_unread(
        evaluate(
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
        return ResolvedBundle(bundle, verdict, signatures.bundles, roots, None)
    content = read_lockfile(bundle, registry)
    lock = _read_lock(content, registry)
    parts = parts_of(bundle, lock)
    revoked = policy.revoked_among(_digests(content, parts, registry)) if policy.revoked else []
    verdict = replace(verdict, refusals=tuple(revoked))
    return ResolvedBundle(bundle, verdict, signatures.bundles, roots, BundleContents(content, lock, parts))


def fetch_parts(inside: BundleContents, registry: Registry, world: World, *, max_bytes: int) -> tuple[Item, ...]:
    """Every part of the bundle is in the store, proved against the lock; those that were not there before come back.

    Raises: BytesUnavailable (a part is neither there nor here), DigestMismatch, LimitExceeded, LockInvalid,
      FileSystemError,
        and what reading from the registry raises.
    """
    missing = {part.item.blob: part for part in inside.parts if world.store.size(part.item.blob) is None}
    counted = ProgressCounter("fetching", len(missing), world)
    jobs = [partial(_fetch, part, registry, world, counted, max_bytes) for part in missing.values()]
    run_jobs(jobs, registry, world)
    return tuple(part.item for part in missing.values())


def _fetch(part: Part, registry: Registry, world: World, counted: ProgressCounter, max_bytes: int) -> dict[str, None]:
    try:
        manifest = fetch_manifest(part.listed, registry)
        unpack(manifest, part.item, registry, world.store, max_bytes=max_bytes, check=world.cancellation.check)
    except NotFound as error:
        raise BytesUnavailable(
            subject=part.item.what,
            check=f"{registry.name} does not have it, and neither does the store",
            remedy="it was left out for who has an earlier bundle: bring the whole one, or pull that one first",
        ) from error
    counted.advance()
    return {}


def _with_unread(verdict: Verdict, signatures: Signatures) -> Verdict:
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
    manifests = (fetch_manifest(part.listed, registry) for part in parts)
    return frozenset(
        {*revocable_digests(content), *(layer.digest for manifest in manifests for layer in manifest.layers)}
    )


def _refuse_unsigned(found: ResolvedBundle, expected: VerificationRequest) -> None:
    if not (expected.pinned or expected.allow_unsigned):
        raise Untrusted(
            subject=found.bundle.what,
            check="no rule says who must have signed it, and nothing else vouches for it",
            remedy=f"write a trust policy, name the place with @{found.bundle.digest}, or say --allow-unsigned",
        )


def _refuse_large(inside: BundleContents, max_bytes: int) -> None:
    """A lock that nobody vouches for does not decide how much of the disk is taken."""
    for item in (part.item for part in inside.parts):
        files = 0 if item.packed is None else len(item.packed.files)
        if item.size is not None and item.size > max_bytes + _HEADERS_BYTES * (files + 1):
            raise LimitExceeded(
                subject=item.what,
                check=f"the lock in the bundle says {item.size} bytes; `max_source_size` is {max_bytes}",
                remedy="raise `limits: max_source_size` in agent-sync.yaml, or pull a bundle that is signed",
            )


def _read_lock(content: bytes, registry: Registry) -> Lock:
    where = f"the lockfile of the bundle in {registry.name}"
    lock = read_lock(content, file=where)
    check_digests(lock, file=where)
    return lock


# -- Who signed a bundle the last time: a signer that changes is shown, and must be accepted.


def require_same_signers(name: str, found: ResolvedBundle, records: RecordStore, *, accepted: bool) -> None:
    """Nothing, if whoever signed the bundle of this name the last time has signed this one too.

    More signers than the last time are no change: fewer, or others, are. Raises: Untrusted, unless it is `accepted`.
    """
    before, now = _recorded_signers(name, records), _signers(found)
    if accepted or before <= now:
        return
    raise Untrusted(
        subject=f"bundle {name} {found.bundle.digest}",
        check=f"it was signed by {_listed(before)} when it was pulled here last, and now by {_listed(now)}",
        remedy="ask its publisher; if the change is meant: --accept-signer-change",
    )


def record_signers(name: str, found: ResolvedBundle, records: RecordStore) -> None:
    """The next bundle of this name is compared with this one."""
    if _recorded_signers(name, records) != (now := _signers(found)):
        records.record(SIGNERS, _signers_key(name), canonical_json(sorted(now)))


def _signers(found: ResolvedBundle) -> frozenset[str]:
    """Those whose signatures were found good; anybody can lay others beside a bundle."""
    return frozenset(_signer_text(each.signer) for each in found.verdict.checked)


def _signer_text(signer: Signer) -> str:
    """Without the label, under which a policy can put another key."""
    return str(KeySigner(signer.public_key) if isinstance(signer, KeySigner) else signer)


def _recorded_signers(name: str, records: RecordStore) -> frozenset[str]:
    for _, content in records.records(SIGNERS, _signers_key(name)):
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, list) and all(isinstance(each, str) for each in said):
            return frozenset(said)
    return frozenset()


def _signers_key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _listed(signers: frozenset[str]) -> str:
    return ", ".join(map(quoted, sorted(signers))) or "nobody who is known"
