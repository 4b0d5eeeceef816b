"""Pull a bundle into the cache, and notice when other signers than the last time have signed it.

The order of trust is the order of lines.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.index import BundleIndex, Part, fetch_manifest, parse_index, parts_of, read_lockfile
from agent_sync.bundle.items import Item
from agent_sync.bundle.pack import unpack
from agent_sync.bundle.registry import ProgressCounter, run_jobs
from agent_sync.bundle.sign import Signatures, find_roots, find_signatures
from agent_sync.bundle.trust import revocable_digests
from agent_sync.errors import BytesUnavailable, LimitExceeded, NotFound, Untrusted
from agent_sync.lock import Lock
from agent_sync.lock.file import check_digests, read_lock
from agent_sync.ports import RecordStore
from agent_sync.store.directory import SIGNERS
from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.signing.signers import KeySigner, Signer
from agent_sync_oci.strict_json import canonical_json
from agent_sync_oci.text import quoted
from agent_sync_oci.trust import Policy, RuleVerdict, Verdict, evaluate

if TYPE_CHECKING:
    from agent_sync.ports import World


_HEADERS_BYTES = 4096  # of a file in a tar, and of the directories that it is in


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """What the receiver requires of a bundle: the name it was signed for, and the policy.

    An unsigned bundle passes, where no rule asks for more, if its lock is `own_lock` (the project's), if the reference
    was `pinned` by digest, or with `allow_unsigned`. `max_bytes` bounds each part whose size no signature covers.
    """

    name: str
    policy: Policy
    max_bytes: int
    own_lock: bytes | None = None
    pinned: bool = False
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class BundleContents:
    """The contents of a bundle: its lock, as bytes and parsed, and all parts that the lock needs."""

    content: bytes
    lock: Lock
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ResolvedBundle:
    """A bundle with the verdict on it, its signatures, and the pinned trusted roots that came with it.

    `inside` is None if the policy rejected the signatures: then nothing more was read.
    """

    bundle: BundleIndex
    verdict: Verdict
    signatures: tuple[bytes, ...]
    roots: tuple[bytes, ...]
    inside: BundleContents | None


def _reference(registry: Registry, wanted: Digest | str) -> str:
    return f"{registry.name}{'@' if isinstance(wanted, Digest) else ':'}{wanted}"


def resolve_bundle(
    wanted: Digest | str, registry: Registry, expected: VerificationRequest
) -> tuple[ResolvedBundle, BundleContents]:
    """Resolve a tag or digest to a bundle that is trusted. Only manifests, signatures, and the lock are fetched.

    Raises:
        Untrusted: the policy rejects the bundle, or the bundle is unsigned.
        DigestMismatch, LockInvalid, LimitExceeded: the bundle is damaged.
        RegistryError: the registry failed.
    """
    found = verify_bundle(wanted, registry, expected.policy, name=expected.name)
    if not found.verdict.accepted or found.inside is None:
        verify = shlex.join(("agent-sync", "bundle", "verify", _reference(registry, wanted), "--name", expected.name))
        raise Untrusted(
            subject=found.bundle.what,
            check="; ".join(found.verdict.refusals),
            remedy=f"to see each rule: {verify}; have the bundle signed by the policy's signers",
        )
    # The project's own lock was reviewed where the project is: a bundle of just that lock needs no other signature.
    if not found.verdict.signed and found.inside.content != expected.own_lock:
        _refuse_unsigned(found, expected)
        _refuse_large(found.inside, expected.max_bytes)
    return found, found.inside


def verify_bundle(wanted: Digest | str, registry: Registry, policy: Policy, *, name: str) -> ResolvedBundle:
    """Resolve a tag or digest to a bundle, and evaluate the policy for it.

    1. The tag gives a digest, and the bytes have that digest. 2. The policy accepts the signatures over this digest
    under this name; if not, nothing more is read. 3. The lock is whole and valid, and the index lists what it needs. 4.
    Nothing in it is revoked.

    Raises:
        DigestMismatch, LockInvalid, LimitExceeded: the bundle is damaged.
        RegistryError: the registry failed.
    """
    bundle = parse_index(registry.manifest(wanted), where=f"{registry.name} {wanted}")
    # From here on only the digest counts: a tag may be moved between two requests.
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
    # Nothing of an untrusted bundle is parsed but its index: parsers are where attacks begin.
    if not verdict.accepted:
        return ResolvedBundle(bundle, verdict, signatures.bundles, roots, None)
    content = read_lockfile(bundle, registry)
    lock = _read_lock(content, registry)
    parts = parts_of(bundle, lock)
    # Revocations of single files and commits show only now; those of manifests were part of the verdict.
    revoked = policy.revoked_among(_digests(content, parts, registry)) if policy.revoked else []
    verdict = replace(verdict, refusals=tuple(revoked))
    return ResolvedBundle(bundle, verdict, signatures.bundles, roots, BundleContents(content, lock, parts))


def fetch_parts(inside: BundleContents, registry: Registry, world: World, *, max_bytes: int) -> tuple[Item, ...]:
    """Fetch every part into the cache, verified against the lock; return the items that were not there before.

    Raises:
        BytesUnavailable: a part is in neither the registry nor the cache.
        DigestMismatch, LimitExceeded, LockInvalid: a part is not what the lock pins.
        FileSystemError: the cache cannot be written.
        RegistryError: the registry failed.
    """
    # By blob, since a source and what a transform made of it may be the same bytes.
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
            check=f"neither in {registry.name} nor in the cache",
            remedy="pull the whole bundle, or first the earlier one that this copy builds on (bundle copy --since)",
        ) from error
    counted.advance()
    return {}


def _with_unread(verdict: Verdict, signatures: Signatures) -> Verdict:
    """Return the verdict with the signatures that could not be read added to each rule."""
    if not signatures.unread:
        return verdict
    rules = tuple(_passing_over(rule, signatures.unread) for rule in verdict.rules)
    unread = f"not read: {'; '.join(signatures.unread)}"
    # Unread signatures explain a refusal; they do not make one, or anybody could block a bundle by attaching them.
    return replace(verdict, rules=rules, refusals=(*verdict.refusals, unread) if verdict.refusals else ())


def _passing_over(rule: RuleVerdict, unread: tuple[str, ...]) -> RuleVerdict:
    return replace(rule, passed_over=(*rule.passed_over, *unread))


def _digests(content: bytes, parts: tuple[Part, ...], registry: Registry) -> frozenset[str]:
    """Return all digests that a revocation may name: those in the lock, and those of the parts' layers."""
    manifests = (fetch_manifest(part.listed, registry) for part in parts)
    return frozenset(
        {*revocable_digests(content), *(layer.digest for manifest in manifests for layer in manifest.layers)}
    )


def _refuse_unsigned(found: ResolvedBundle, expected: VerificationRequest) -> None:
    if not (expected.pinned or expected.allow_unsigned):
        raise Untrusted(
            subject=found.bundle.what,
            check="no rule requires a signature, and nothing else makes this bundle trusted",
            remedy=f"write a trust policy, pin the reference with @{found.bundle.digest}, or pass --allow-unsigned",
        )


def _refuse_large(inside: BundleContents, max_bytes: int) -> None:
    """Refuse large parts: a lock that nobody signed does not decide how much of the disk is taken."""
    for item in (part.item for part in inside.parts):
        # `max_source_size` bounds content; a tar has headers on top of it, for files and for their directories.
        files = 0 if item.packed is None else len(item.packed.files)
        if item.size is not None and item.size > max_bytes + _HEADERS_BYTES * (files + 1):
            raise LimitExceeded(
                subject=item.what,
                check=f"the bundle's lock says {item.size} bytes; `max_source_size` is {max_bytes}",
                remedy="raise `limits: max_source_size` in agent-sync.yaml, or pull a signed bundle",
            )


def _read_lock(content: bytes, registry: Registry) -> Lock:
    where = f"lock file of the bundle in {registry.name}"
    lock = read_lock(content, file=where)
    check_digests(lock, file=where)
    return lock


# -- change of signers -----------------------------------------------------------------------------------------------


def require_same_signers(name: str, found: ResolvedBundle, records: RecordStore, *, accepted: bool) -> None:
    """Require that whoever signed the last bundle of this name has signed this one too.

    More signers than the last time are no change; fewer, or others, are.

    Raises:
        Untrusted: the signers changed, and the change was not `accepted`.
    """
    before, now = _recorded_signers(name, records), _signers(found)
    if accepted or before <= now:
        return
    raise Untrusted(
        subject=f"bundle {name} {found.bundle.digest}",
        check=f"signed by {_listed(now)}, and when last pulled by {_listed(before)}",
        remedy="ask the publisher; accept the change with --accept-signer-change",
    )


def record_signers(name: str, found: ResolvedBundle, records: RecordStore) -> None:
    """Record the signers; the next bundle of this name is compared with this one."""
    if _recorded_signers(name, records) != (now := _signers(found)):
        records.record(SIGNERS, _signers_key(name), canonical_json(sorted(now)))


def _signers(found: ResolvedBundle) -> frozenset[str]:
    """Return those whose signatures are valid; anybody can attach others."""
    return frozenset(_signer_text(each.signer) for each in found.verdict.checked)


def _signer_text(signer: Signer) -> str:
    """Return the signer without the label: another policy may give the key another one."""
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
    return ", ".join(map(quoted, sorted(signers))) or "nobody"
