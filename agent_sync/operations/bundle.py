"""bundle inspect, verify, sign, and copy: work on bundles at a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_sync.bundle.copy import CopyTarget, bundle_blobs, copy_bundle
from agent_sync.bundle.index import name_to_verify, parse_index, read_lockfile
from agent_sync.bundle.inspect import BundleDescription, inspect
from agent_sync.bundle.names import tag_or_digest, tag_to_push
from agent_sync.bundle.policy import TrustFiles, policy_of, trusted_roots
from agent_sync.bundle.pull import verify_bundle
from agent_sync.bundle.registry import open_registry
from agent_sync.bundle.sign import Signing, list_roots, sign_and_attach
from agent_sync.errors import UsageError
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference, RegistryReference
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.trust.policy import Policy, Rule
from agent_sync_oci.trust.verdict import Verdict

if TYPE_CHECKING:
    from agent_sync_oci.signing.signers import Signer
    from agent_sync_oci.signing.trusted_root import TrustedRoot
    from agent_sync_oci.signing.verify import VerifiedArtifact


# -- bundle inspect: what lies in a place.


def bundle_inspect(inputs: Inputs, place: Reference, *, plain_http: bool = False) -> BundleDescription:
    """The bundle that lies there: its parts, digests, sizes, and what was attached to it. Nothing of it is proved.

    Raises: UsageError, DigestMismatch (it is no bundle), NetworkError, FileSystemError.
    """
    with open_registry(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        return inspect(tag_or_digest(place), registry)


# -- bundle verify: who vouches for a bundle, rule by rule; or who signed any artifact.


_GIVE_ROOT = "give --trusted-root FILE"


@dataclass(frozen=True, slots=True)
class RequiredSigner:
    """Somebody who must have signed, said for one run: a key, or an identity with its issuer; and the trusted root."""

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
    place: Reference,
    *,
    name: str | None = None,
    asked: RequiredSigner | None = None,
    plain_http: bool = False,
) -> BundleVerdict:
    """What the policies, and `asked`, say of the bundle that lies there. Nothing but signatures and lock is fetched.

    Raises: UsageError (nobody says who must have signed), DigestMismatch, LockInvalid, NetworkError, FileSystemError.
    """
    files = TrustFiles(inputs.world.project, inputs.world.read_file)
    with open_registry(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        bound = name_to_verify(place, registry, asked=name, configured=inputs.bundle_name)
        policy = Policy.united(policy_of(inputs.demands.trust, files), _policy_for(asked, bound))
        if not (policy.requires_signatures or policy.revoked):
            raise UsageError(
                subject=f"bundle {bound}",
                check="no policy or option says who must have signed it",
                remedy="write a rule under `trust:`, or give --policy, --key, or --identity with --issuer",
            )
        found = verify_bundle(tag_or_digest(place), registry, policy, name=bound)
    return BundleVerdict(bound, found.bundle.digest, found.verdict)


def artifact_verify(sha256: str, signature: bytes, asked: RequiredSigner) -> VerifiedArtifact:
    """Who signed the artifact with this SHA-256 (in hex), with any Sigstore bundle that is over it.

    Raises: Untrusted, UsageError.
    """
    from agent_sync_oci.signing.verify import verify_artifact

    signer, root = _declared_signer(asked), _declared_root(asked)
    if root is None and asked.key is None:
        check = "a signer with an identity can be checked only with a trusted root"
        raise UsageError(subject="who must have signed", check=check, remedy=_GIVE_ROOT)
    return verify_artifact(signature, sha256, (signer,), root=root)


def _policy_for(asked: RequiredSigner | None, name: str) -> Policy:
    if asked is None:
        return Policy()
    try:
        return Policy(rules=(Rule(name, 1, (_declared_signer(asked),), root=_declared_root(asked)),))
    except ValueError as error:
        raise UsageError(subject="who must have signed", check=str(error), remedy=_GIVE_ROOT) from error


def _declared_signer(asked: RequiredSigner) -> Signer:
    from agent_sync_oci.signing.keys import load_public
    from agent_sync_oci.signing.signers import IdentitySigner, KeySigner

    if asked.key is not None and not (asked.identity or asked.issuer):
        return KeySigner(load_public(asked.key), asked.label)
    if asked.key is None and asked.identity and asked.issuer:
        return IdentitySigner(asked.identity, asked.issuer)
    raise UsageError(
        subject="who must have signed",
        check="it takes a key, or an identity together with its issuer",
        remedy="give --key FILE, or --identity and --issuer: an identity without issuer matches any issuer's",
    )


def _declared_root(asked: RequiredSigner) -> TrustedRoot | None:
    from agent_sync_oci.signing.trusted_root import TrustedRoot

    return None if asked.root is None else TrustedRoot.read(asked.root, None)


# -- bundle sign: one more signature beside a bundle that lies in a place already.


@dataclass(frozen=True, slots=True)
class SignResult:
    """What was signed: the bundle's digest, and the name that the signature binds to it."""

    name: str
    digest: Digest


def bundle_sign(
    inputs: Inputs, place: Reference, signing: Signing, *, name: str | None = None, plain_http: bool = False
) -> SignResult:
    """The signature lies beside the bundle, and its digest is what it was.

    Whoever signs vouches for what lies there now: name the place with its digest, so that this is what was looked at.

    Raises: UsageError, DigestMismatch (it is no bundle), LockInvalid, NetworkError, FileSystemError.
    """
    with open_registry(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        bound = name_to_verify(place, registry, asked=name, configured=inputs.bundle_name)
        bundle = parse_index(registry.manifest(tag_or_digest(place)), where=str(place))
        sign_and_attach(bound, bundle.index, read_lockfile(bundle, registry), registry, signing)
    return SignResult(bound, bundle.digest)


# -- bundle copy: from a registry, a directory or a file to another.


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """From where to where. `since` is what the receiver has: a lockfile's bytes, or the place of an older bundle."""

    source: Reference
    target: Reference
    since: bytes | Reference | None = None
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The bundle, where it is now, and how many blobs and bytes travelled, or did not need to."""

    name: str
    reference: Reference
    digest: Digest
    blobs: int
    bytes: int
    skipped: int


def bundle_copy(inputs: Inputs, request: CopyRequest) -> CopyResult:
    """The bundle, with its signatures, is at the target under the same digest.

    Nothing is compressed anew: that would lose the signatures. The target's tag moves when everything is there; an
    archive appears whole or not at all.

    Raises: UsageError, DigestMismatch (it is no bundle), LockInvalid, BytesUnavailable (parts of it are in neither
        place), Untrusted (a trusted root that is not what it was pinned to be), NetworkError, FileSystemError.
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
    """The trusted roots that lie beside the bundle, and into a directory or file those that the configuration
    trusts.
    """
    roots = [] if isinstance(request.source, RegistryReference) else list(list_roots(source))
    if not isinstance(request.target, RegistryReference):
        files = TrustFiles(inputs.world.project, inputs.world.read_file)
        roots += trusted_roots(inputs.demands.trust, files)
    return tuple(dict.fromkeys(roots))


def _blobs_since(inputs: Inputs, request: CopyRequest) -> frozenset[Digest]:
    if request.since is None or isinstance(request.since, bytes):
        return frozenset()
    with open_registry(request.since, inputs.world, inputs.demands.limits, plain_http=request.plain_http) as older:
        return bundle_blobs(tag_or_digest(request.since), older)


def _mountable(request: CopyRequest) -> str | None:
    """Within one registry blobs need not travel at all."""
    match request.source, request.target:
        case RegistryReference(host=here, repository=repository), RegistryReference(host=there) if here == there:
            return repository
        case _:
            return None
