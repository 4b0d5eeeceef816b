"""Signing under an identity instead of a key: a certificate for minutes, a log entry, a time stamp."""

from __future__ import annotations

from agent_sync_oci.errors import KeyUnusable, shown
from agent_sync_oci.signing.certificate import identity_in
from agent_sync_oci.signing.services import Services
from agent_sync_oci.signing.signers import IdentitySigner
from agent_sync_oci.signing.sigstore_bundle import Certificate, bundle_json, read_bundle


def ambient_token() -> str | None:
    """The identity token of the CI job that this runs in, meant for Sigstore; None outside of one.

    Raises KeyUnusable: this is a job, and it may not have one.
    """
    from sigstore.oidc import IdentityError, detect_credential

    try:
        return detect_credential()
    except IdentityError as error:
        check = f"it cannot be had: {shown(str(error).partition(chr(10))[0])}"
        remedy = "on GitHub the workflow needs the permission `id-token: write`; or hand a token in"
        raise KeyUnusable(subject="the identity token of this CI job", check=check, remedy=remedy) from error


def sign_keyless(statement: bytes, token: str, trust_config: bytes) -> bytes:
    """The bundle, as JSON, in which the identity of `token` signs this in-toto statement.

    `trust_config` names the services and the root that their answers are checked with: what comes back passes
    `check_bundle` with that root.

    Raises:
        KeyUnusable: the token or the trust configuration cannot be used.
        SigningFault: a service refused, did not answer in time, or answered with something that does not hold.
    """
    services = Services.read(trust_config)
    bundle = read_bundle(services.sign(statement, token))
    assert isinstance(bundle.verifier, Certificate)
    signer = IdentitySigner(*identity_in(bundle.verifier.der))
    return services.assured(bundle_json(bundle), signer, statement)
