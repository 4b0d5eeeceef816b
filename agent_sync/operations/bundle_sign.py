"""bundle sign: one more signature beside a bundle that lies in a place already."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.bundle.index import opened
from agent_sync.bundle.lockfiles import read_lockfile
from agent_sync.bundle.naming import bundle_name, wanted_at
from agent_sync.bundle.opening import opened_place
from agent_sync.bundle.signing import Signing, sign_and_attach
from agent_sync.operations.inputs import Inputs
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Place


@dataclass(frozen=True, slots=True)
class SignResult:
    """What was signed: the bundle's digest, and the name that the signature binds to it."""

    name: str
    digest: Digest


def bundle_sign(
    inputs: Inputs, place: Place, signing: Signing, *, name: str | None = None, plain_http: bool = False
) -> SignResult:
    """The signature lies beside the bundle, and its digest is what it was.

    Whoever signs vouches for what lies there now: name the place with its digest, so that this is what was looked at.

    Raises: UsageWrong, ContentMismatch (it is no bundle), LockInvalid, NetworkError, FileFault.
    """
    bound = bundle_name(place, asked=name, configured=inputs.bundle_name)
    with opened_place(place, inputs.world, inputs.demands.limits, plain_http=plain_http) as registry:
        bundle = opened(registry.manifest(wanted_at(place)), where=str(place))
        sign_and_attach(bound, bundle.index, read_lockfile(bundle, registry), registry, signing)
    return SignResult(bound, bundle.digest)
