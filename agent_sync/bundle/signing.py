"""Who vouches for a bundle: the statement over its index and its sources, signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_sync.bundle.items import items_of
from agent_sync.bundle.signatures import attach_signature
from agent_sync.lock.reading import read_lock
from agent_sync_oci.manifest import Index
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync_oci.signing.statement import Statement

Signing = Callable[[bytes], bytes]
"""A statement -> a Sigstore bundle that holds it, signed."""


def key_signing(private_pem: bytes, pass_phrase: Callable[[], bytes], *, trust_config: bytes | None = None) -> Signing:
    """Signs with a key that `agent-sync keys generate` or `cosign generate-key-pair` has made.

    With a trust configuration each signature is also entered into the log that it names; without one no connection is
    opened.

    Raises: UsageWrong if it is no such key, or the pass phrase does not open it.
    """
    from agent_sync.ports.translating import translated
    from agent_sync_oci.signing.key_signing import sign_with_key
    from agent_sync_oci.signing.keys import load_private

    with translated():
        key = load_private(private_pem, pass_phrase)
    return lambda statement: sign_with_key(statement, key, trust_config=trust_config)


def keyless_signing(token: str, trust_config: bytes) -> Signing:
    """Signs in the name that an identity token proves, at the services that a trust configuration names."""
    from agent_sync_oci.signing.keyless import sign_keyless

    return lambda statement: sign_keyless(statement, token, trust_config)


def sign_and_attach(name: str, index: Index, content: bytes, registry: Registry, signing: Signing) -> bytes:
    """The bundle is signed, and beside it lie signed statements of how its lock came to be and of what it is made of.

    The signature's Sigstore bundle comes back. Its first subject is the index under the bundle's name; then come the
    sources, each by the digest of its uncompressed content, so that it also speaks for bytes that are compressed anew.
    `content` is the lockfile in the bundle.
    """
    from agent_sync.bundle.provenance import provenance_of
    from agent_sync.bundle.sbom import bill_of_materials
    from agent_sync_oci.signing.attestation import bill_of_materials_statement, provenance_statement
    from agent_sync_oci.signing.statement import COSIGN_SIGN, Statement, Subject

    lock = read_lock(content)
    bundle = Subject(name, index.digest.hex)
    subjects = (bundle, *(Subject(item.file, item.blob.hex) for item in items_of(lock)))
    signature = _attach(Statement(subjects, COSIGN_SIGN, {}), index, registry, signing)
    _attach(provenance_statement((bundle,), provenance_of(lock)), index, registry, signing)
    bill = bill_of_materials(name, content, lock)
    _attach(bill_of_materials_statement((bundle,), bill), index, registry, signing)
    return signature


def _attach(statement: Statement, index: Index, registry: Registry, signing: Signing) -> bytes:
    from agent_sync_oci.signing.statement import statement_bytes

    bundle = signing(statement_bytes(statement))
    attach_signature(bundle, index, registry, predicate_type=statement.predicate_type)
    return bundle
