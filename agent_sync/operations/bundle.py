"""bundle inspect, verify, sign, and copy: work on bundles at a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_sync.bundle.copy import CopyTarget, bundle_blobs, copy_bundle
from agent_sync.bundle.index import name_to_verify, parse_index, read_lockfile
from agent_sync.bundle.inspect import BundleDescription, inspect
from agent_sync.bundle.names import tag_or_digest, tag_to_push
from agent_sync.bundle.pull import verify_bundle
from agent_sync.bundle.registry import open_registry
from agent_sync.bundle.sign import Signing, list_roots, sign_and_attach
from agent_sync.bundle.trust import policy_of, trusted_roots
from agent_sync.errors import Untrusted, UsageError
from agent_sync.events import Refused
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference, RegistryReference
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.trust import Policy, Rule, Verdict

if TYPE_CHECKING:
    from agent_sync_oci.signing.signers import Signer
    from agent_sync_oci.signing.trusted_root import TrustedRoot
    from agent_sync_oci.signing.verify import VerifiedArtifact


# -- bundle inspect


def bundle_inspect(inputs: Inputs, reference: Reference, *, plain_http: bool = False) -> BundleDescription:
    """Describe the bundle: its parts, digests, sizes, and what is attached to it. Nothing of it is verified.

    Raises: UsageError, DigestMismatch (no bundle), NetworkError, FileSystemError.
    """
    with open_registry(reference, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        return inspect(tag_or_digest(reference), registry)


# -- bundle verify: who signed a bundle, rule by rule; or who signed any artifact.

_GIVE_ROOT = "give --trusted-root FILE"


@dataclass(frozen=True, slots=True)
class RequiredSigner:
    """Somebody who must have signed: a key, or an identity with its issuer; and the trusted root.

    `label` is what messages call the key.
    """

    key: bytes | None = None
    identity: str | None = None
    issuer: str | None = None
    root: bytes | None = None
    label: str = "--key"


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """The bundle's digest, the name that its signatures must be for, and what each rule says."""

    name: str
    digest: Digest
    verdict: Verdict


def bundle_verify(
    inputs: Inputs,
    reference: Reference,
    *,
    name: str | None = None,
    signer: RequiredSigner | None = None,
    plain_http: bool = False,
) -> BundleVerdict:
    """Verify a bundle against the policies and against `signer`; nothing but signatures and lock is fetched.

    Raises: UsageError (neither names a signer), DigestMismatch, LockInvalid, NetworkError, FileSystemError.
    """
    with open_registry(reference, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        bound = name_to_verify(reference, registry, asked=name, configured=inputs.bundle_name)
        policy = Policy.united(policy_of(inputs.demands.trust, inputs.trust_files()), _policy_for(signer, bound))
        if not (policy.requires_signatures or policy.revoked):
            raise UsageError(
                subject=f"bundle {bound}",
                check="no policy or option names a signer",
                remedy="write a rule under `trust:`, or give --policy, --key, or --identity with --issuer",
            )
        found = verify_bundle(tag_or_digest(reference), registry, policy, name=bound)
    if not found.verdict.accepted:  # the result of this verb, and no error
        inputs.run.audit(Refused(found.bundle.what, Untrusted.rule, "; ".join(found.verdict.refusals)))
    return BundleVerdict(bound, found.bundle.digest, found.verdict)


def artifact_verify(sha256: str, signature: bytes, signer: RequiredSigner) -> VerifiedArtifact:
    """Verify who signed the artifact with this SHA-256 (in hex), given the Sigstore bundle of the signature.

    Raises: Untrusted, UsageError.
    """
    from agent_sync_oci.signing.verify import verify_artifact

    declared, root = _declared_signer(signer), _declared_root(signer)
    if root is None and signer.key is None:
        raise UsageError(
            subject="the required signer", check="an identity is verified with a trusted root only", remedy=_GIVE_ROOT
        )
    return verify_artifact(signature, sha256, (declared,), root=root)


def _policy_for(signer: RequiredSigner | None, name: str) -> Policy:
    if signer is None:
        return Policy()
    try:
        return Policy(rules=(Rule(name, 1, (_declared_signer(signer),), root=_declared_root(signer)),))
    except ValueError as error:
        raise UsageError(subject="the required signer", check=str(error), remedy=_GIVE_ROOT) from error


def _declared_signer(signer: RequiredSigner) -> Signer:
    from agent_sync_oci.signing.keys import load_public
    from agent_sync_oci.signing.signers import IdentitySigner, KeySigner

    if signer.key is not None and not (signer.identity or signer.issuer):
        return KeySigner(load_public(signer.key), signer.label)
    if signer.key is None and signer.identity and signer.issuer:
        return IdentitySigner(signer.identity, signer.issuer)
    raise UsageError(
        subject="the required signer",
        check="needs a key, or an identity together with its issuer",
        remedy="give --key FILE, or --identity and --issuer: an identity without issuer matches any issuer's",
    )


def _declared_root(signer: RequiredSigner) -> TrustedRoot | None:
    from agent_sync_oci.signing.trusted_root import TrustedRoot

    return None if signer.root is None else TrustedRoot.read(signer.root, None)


# -- bundle sign


@dataclass(frozen=True, slots=True)
class SignResult:
    """What was signed: the bundle's digest, and the name that the signature binds to it."""

    name: str
    digest: Digest


def bundle_sign(
    inputs: Inputs, reference: Reference, signing: Signing, *, name: str | None = None, plain_http: bool = False
) -> SignResult:
    """Attach a signature to an existing bundle; the digest of the bundle does not change.

    What is signed is what the reference leads to now: name the digest, so that this is what was inspected before.

    Raises: UsageError, DigestMismatch (no bundle), LockInvalid, NetworkError, FileSystemError.
    """
    with open_registry(reference, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        bound = name_to_verify(reference, registry, asked=name, configured=inputs.bundle_name)
        bundle = parse_index(registry.manifest(tag_or_digest(reference)), where=str(reference))
        sign_and_attach(bound, bundle.index, read_lockfile(bundle, registry), registry, signing)
    return SignResult(bound, bundle.digest)


# -- bundle copy: between registries, layout directories, and archives.


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What to copy, and where to. `since` is what the receiver has: a lock file's bytes, or an older bundle."""

    source: Reference
    target: Reference
    since: bytes | Reference | None = None
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The bundle, its new reference, and how many blobs and bytes were copied, or were present already."""

    name: str
    reference: Reference
    digest: Digest
    blobs: int
    bytes: int
    skipped: int


def bundle_copy(inputs: Inputs, request: CopyRequest) -> CopyResult:
    """Copy the bundle with its signatures; its digest stays the same.

    Nothing is compressed again: that would lose the signatures. The target's tag moves once everything is there; an
    archive appears whole or not at all.

    Raises: UsageError, DigestMismatch (no bundle), LockInvalid, BytesUnavailable (parts are at neither reference),
        Untrusted (a trusted root differs from its pinned digest), NetworkError, FileSystemError.
    """
    world, limits = inputs.world, inputs.demands.limits
    tag = tag_to_push(request.target) or request.source.tag
    has_blobs = _blobs_since(inputs, request)
    with (
        open_registry(request.source, world, limits, plain_http=request.plain_http) as source,
        open_registry(request.target, world, limits, plain_http=request.plain_http) as target,
    ):
        receiver = CopyTarget(
            registry=target,
            tag=tag,
            mount_from=_mountable(request),
            roots=_roots_to_copy(inputs, request, source),
            has_blobs=has_blobs,
            has_lock=request.since if isinstance(request.since, bytes) else None,
        )
        bundle, copied = copy_bundle(tag_or_digest(request.source), source, receiver, check=world.cancellation.check)
    return CopyResult(
        name=bundle.name,
        reference=replace(request.target, tag=tag, digest=bundle.index.digest),
        digest=bundle.index.digest,
        blobs=copied.blobs,
        bytes=copied.bytes,
        skipped=copied.skipped,
    )


def _roots_to_copy(inputs: Inputs, request: CopyRequest, source: Registry) -> tuple[bytes, ...]:
    """Return the trusted roots beside the bundle; to a directory or archive go those of the configuration, too."""
    roots = [] if isinstance(request.source, RegistryReference) else list(list_roots(source))
    if not isinstance(request.target, RegistryReference):
        roots += trusted_roots(inputs.demands.trust, inputs.trust_files())
    return tuple(dict.fromkeys(roots))


def _blobs_since(inputs: Inputs, request: CopyRequest) -> frozenset[Digest]:
    if request.since is None or isinstance(request.since, bytes):
        return frozenset()
    with open_registry(request.since, inputs.world, inputs.demands.limits, plain_http=request.plain_http) as older:
        return bundle_blobs(tag_or_digest(request.since), older)


def _mountable(request: CopyRequest) -> str | None:
    """Return the repository to mount blobs from: within one registry they need not be sent at all."""
    match request.source, request.target:
        case RegistryReference(host=here, repository=repository), RegistryReference(host=there) if here == there:
            return repository
        case _:
            return None
