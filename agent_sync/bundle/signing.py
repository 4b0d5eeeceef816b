"""Who vouches for a bundle: the statement over its index and its sources, signed."""

from __future__ import annotations

from collections.abc import Callable

from agent_sync.bundle.items import items_of
from agent_sync.bundle.signatures import attach_signature
from agent_sync.lock import Lock
from agent_sync_oci.manifest import Index
from agent_sync_oci.registry.protocol import Registry

Signing = Callable[[bytes], bytes]
"""A statement -> a Sigstore bundle that holds it, signed."""


def key_signing(private_pem: bytes, pass_phrase: Callable[[], bytes]) -> Signing:
    """Signs with a key that `agent-sync keys generate` or `cosign generate-key-pair` has made.

    Raises: UsageWrong if it is no such key, or the pass phrase does not open it.
    """
    from agent_sync.bundle.faults import translated
    from agent_sync_oci.signing.key_signing import sign_with_key
    from agent_sync_oci.signing.keys import load_private

    with translated():
        key = load_private(private_pem, pass_phrase)
    return lambda statement: sign_with_key(statement, key)


def keyless_signing(token: str, trust_config: bytes) -> Signing:
    """Signs in the name that an identity token proves, at the services that a trust configuration names."""
    from agent_sync_oci.signing.keyless import sign_keyless

    return lambda statement: sign_keyless(statement, token, trust_config)


def sign_and_attach(name: str, index: Index, lock: Lock, registry: Registry, signing: Signing) -> bytes:
    """A signature over the bundle lies beside it; its Sigstore bundle comes back.

    The first subject is the index under the bundle's name; then come the sources, each by the digest of its
    uncompressed content, so that the signature also speaks for bytes that are compressed anew.
    """
    from agent_sync_oci.signing.statement import COSIGN_SIGN, Statement, Subject, statement_bytes

    subjects = (Subject(name, index.digest.hex), *(Subject(each.file, each.blob.hex) for each in items_of(lock)))
    bundle = signing(statement_bytes(Statement(subjects, COSIGN_SIGN, {})))
    attach_signature(bundle, index, registry, predicate_type=COSIGN_SIGN)
    return bundle
