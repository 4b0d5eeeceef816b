"""Signing with a key: a Sigstore bundle that names the key and holds the signed statement."""

from __future__ import annotations

from dataclasses import replace

from agent_sync_oci.media_types import IN_TOTO
from agent_sync_oci.signing.keys import PrivateKey
from agent_sync_oci.signing.services import Services
from agent_sync_oci.signing.signers import KeySigner
from agent_sync_oci.signing.sigstore_bundle import Envelope, KeyHint, SigstoreBundle, bundle_json, pre_authentication


def sign_with_key(statement: bytes, key: PrivateKey, *, trust_config: bytes | None = None) -> bytes:
    """The bundle, as JSON, in which `key` signs this in-toto statement.

    With a trust configuration, the signature is also entered in the log that it names, for policies that require a
    log entry; without one, no network is touched.

    Raises KeyUnusable (the trust configuration) or SigningFault (its services).
    """
    signature = key.sign(pre_authentication(statement, payload_type=IN_TOTO))
    envelope = Envelope(statement, IN_TOTO, signature)
    bundle = SigstoreBundle(KeyHint(key.public.hint), envelope)
    if trust_config is None:
        return bundle_json(bundle)
    services = Services.read(trust_config)
    entry, stamps = services.witness(envelope, key.public)
    witnessed = bundle_json(replace(bundle, entries=(entry,), time_stamps=stamps))
    return services.assured(witnessed, KeySigner(key.public), statement)
