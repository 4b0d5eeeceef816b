"""bundle verify: who vouches for a bundle, rule by rule; or who signed any artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.bundle.naming import bundle_name, wanted_at
from agent_sync.bundle.opening import opened_place
from agent_sync.bundle.policy import TrustFiles, policy_of
from agent_sync.bundle.pulling import judged
from agent_sync.errors import UsageWrong
from agent_sync.operations.inputs import Inputs
from agent_sync.ports.translating import translated
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Place
from agent_sync_oci.trust.judging import Verdict
from agent_sync_oci.trust.policy import Policy, Rule

if TYPE_CHECKING:
    from agent_sync_oci.signing.checking import CheckedArtifact
    from agent_sync_oci.signing.signers import Signer
    from agent_sync_oci.signing.trusted_root import TrustedRoot


_GIVE_ROOT = "give --trusted-root FILE"


@dataclass(frozen=True, slots=True)
class Asked:
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
    inputs: Inputs, place: Place, *, name: str | None = None, asked: Asked | None = None, plain_http: bool = False
) -> BundleVerdict:
    """What the policies, and `asked`, say of the bundle that lies there. Nothing but signatures and lock is fetched.

    Raises: UsageWrong (nobody says who must have signed), ContentMismatch, LockInvalid, NetworkError, FileFault.
    """
    bound = bundle_name(place, asked=name, configured=inputs.bundle_name)
    files = TrustFiles(inputs.world.project, inputs.world.read_file)
    policy = Policy.united(policy_of(inputs.demands.trust, files), _policy(asked, bound))
    if not (policy.requires_signatures or policy.revoked):
        raise UsageWrong(
            subject=f"bundle {bound}",
            check="nothing says who must have signed it",
            remedy="write a rule under `trust:`, or give --policy, --key, or --identity with --issuer",
        )
    with opened_place(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        found = judged(wanted_at(place), registry, policy, name=bound)
    return BundleVerdict(bound, found.bundle.digest, found.verdict)


def artifact_verify(sha256: str, signature: bytes, asked: Asked) -> CheckedArtifact:
    """Who signed the artifact with this SHA-256 (in hex), with any Sigstore bundle that is over it.

    Raises: Untrusted, UsageWrong.
    """
    from agent_sync_oci.signing.checking import check_artifact

    with translated():
        signer, root = _signer(asked), _root(asked)
        if root is None and asked.key is None:
            check = "a signer with an identity can be checked only with a trusted root"
            raise UsageWrong(subject="who must have signed", check=check, remedy=_GIVE_ROOT)
        return check_artifact(signature, sha256, (signer,), root=root)


def _policy(asked: Asked | None, name: str) -> Policy:
    if asked is None:
        return Policy()
    with translated():
        try:
            return Policy(rules=(Rule(name, 1, (_signer(asked),), root=_root(asked)),))
        except ValueError as error:
            raise UsageWrong(subject="who must have signed", check=str(error), remedy=_GIVE_ROOT) from error


def _signer(asked: Asked) -> Signer:
    from agent_sync_oci.signing.keys import load_public
    from agent_sync_oci.signing.signers import IdentitySigner, KeySigner

    if asked.key is not None and not (asked.identity or asked.issuer):
        return KeySigner(load_public(asked.key), asked.label)
    if asked.key is None and asked.identity and asked.issuer:
        return IdentitySigner(asked.identity, asked.issuer)
    raise UsageWrong(
        subject="who must have signed",
        check="it takes a key, or an identity together with its issuer",
        remedy="give --key FILE, or --identity and --issuer: an identity without issuer matches any issuer's",
    )


def _root(asked: Asked) -> TrustedRoot | None:
    from agent_sync_oci.signing.trusted_root import TrustedRoot

    return None if asked.root is None else TrustedRoot.read(asked.root, None)
