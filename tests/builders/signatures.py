"""Statements and signed bundles, good ones and ones that must not count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from agent_sync_oci.digest import Digest
from agent_sync_oci.signing.bundle import (
    Envelope,
    Fields,
    LogEntry,
    Message,
    SigningCertificate,
    SigstoreBundle,
    bundle_json,
    read_bundle,
    read_entry,
)
from agent_sync_oci.signing.keys import PrivateKey
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner
from agent_sync_oci.signing.statement import COSIGN_SIGN, IN_TOTO, Statement, Subject, statement_bytes
from agent_sync_oci.signing.trusted_root import TrustedRoot
from tests.real.sigstore_authority import certificate_der
from tests.real.sigstore_log import Json, b64, dsse_spec
from tests.real.sigstore_stack import SigstoreStack

NAME = "registry.example.com/team/agents"
DIGEST = Digest.of(b"an index")
CI = IdentitySigner("https://ci.example.test/team/agents/release.yml@refs/heads/main", "https://issuer.example.test")


def a_key() -> PrivateKey:
    """A new key."""
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def a_key_signer(key: PrivateKey, label: str = "") -> KeySigner:
    """Whoever has this key."""
    return KeySigner(key.public, label)


def a_statement(name: str = NAME, digest: Digest = DIGEST, predicate_type: str = COSIGN_SIGN) -> bytes:
    """That the bundle with this digest may be used under this name."""
    return statement_bytes(Statement((Subject(name, digest.hex), Subject("rules.tar", "ab" * 32)), predicate_type))


def a_key_signed_bundle(key: PrivateKey, statement: bytes | None = None) -> bytes:
    """Such a statement, signed with `key`."""
    return sign_with_key(statement or a_statement(), key)


def an_envelope(key: PrivateKey, payload: bytes, payload_type: str = IN_TOTO) -> Envelope:
    """Anything at all, properly signed."""
    unsigned = Envelope(payload, payload_type, b"")
    return replace(unsigned, signature=key.sign(unsigned.signed_bytes()))


@dataclass(frozen=True)
class Keyless:
    """How a keyless bundle is made, and where this departs from what is proper; see `a_keyless_bundle`."""

    signer: IdentitySigner = CI
    rekor: int = 2
    stamped: bool = True
    certified_at: datetime | None = None
    in_ct_log: bool = True
    more_identities: tuple[str, ...] = ()
    payload_type: str = IN_TOTO


def a_keyless_bundle(stack: SigstoreStack, statement: bytes | None = None, made: Keyless = Keyless()) -> bytes:
    """What `sign_keyless` makes, made without the network, so that each part can be wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(stack, key, made)
    unsigned = Envelope(statement or a_statement(), made.payload_type, b"")
    envelope = replace(unsigned, signature=key.sign(unsigned.signed_bytes(), ec.ECDSA(SHA256())))
    document = (
        _dsse_1(envelope, certificate)
        if made.rekor == 1
        else _hashed_2(hashlib.sha256(envelope.signed_bytes()).digest(), envelope.signature, certificate)
    )
    return _witnessed(stack, certificate, envelope, document, made)


def a_keyless_message_bundle(stack: SigstoreStack, artifact: bytes, made: Keyless = Keyless()) -> bytes:
    """A keyless signature over an artifact itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(stack, key, made)
    sha256 = hashlib.sha256(artifact).digest()
    message = Message(sha256, key.sign(sha256, ec.ECDSA(Prehashed(SHA256()))))
    make = _hashed_1 if made.rekor == 1 else _hashed_2
    return _witnessed(stack, certificate, message, make(sha256, message.signature, certificate), made)


def a_changed_root(stack: SigstoreStack, change: Callable[[Json], None]) -> TrustedRoot:
    """The stack's trusted root, after `change` has worked on its JSON."""
    document = json.loads(stack.trusted_root())
    change(document)
    return TrustedRoot.read(json.dumps(document).encode())


def with_field(bundle: bytes, path: str, value: object) -> bytes:
    """The bundle with the field at `path`, such as `verificationMaterial.tlogEntries.0.logIndex`, set anew."""
    document = json.loads(bundle)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    return json.dumps(document).encode()


def with_parts(bundle: bytes, **parts: object) -> bytes:
    """The bundle with other entries, time stamps, content or verifier."""
    return bundle_json(replace(read_bundle(bundle), **parts))  # type: ignore[arg-type]


def _certificate(stack: SigstoreStack, key: ec.EllipticCurvePrivateKey, made: Keyless) -> x509.Certificate:
    return stack.authority.issue(
        key.public_key(),
        [made.signer.identity, *made.more_identities],
        made.signer.issuer,
        at=made.certified_at,
        logged=made.in_ct_log,
    )


def _witnessed(
    stack: SigstoreStack, certificate: x509.Certificate, content: Envelope | Message, document: Json, made: Keyless
) -> bytes:
    entry = stack.rekor1.enter(document) if made.rekor == 1 else stack.rekor2.enter(document)
    stamps = (stack.time.stamp(content.signature),) if made.stamped else ()
    return bundle_json(
        SigstoreBundle(SigningCertificate(certificate_der(certificate)), content, (an_entry(entry),), stamps)
    )


def an_entry(document: Mapping[str, object]) -> LogEntry:
    """A log's answer as a value."""
    return read_entry(Fields(dict(document), subject="a log's answer"))


def _pem(certificate: x509.Certificate) -> str:
    return b64(certificate.public_bytes(Encoding.PEM))


def _dsse_1(envelope: Envelope, certificate: x509.Certificate) -> Json:
    spelt = {
        "payload": b64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": b64(envelope.signature)}],
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": dsse_spec(json.dumps(spelt), [_pem(certificate)])}


def _hashed_1(sha256: bytes, signature: bytes, certificate: x509.Certificate) -> Json:
    signed = {"content": b64(signature), "publicKey": {"content": _pem(certificate)}}
    spec = {"data": {"hash": {"algorithm": "sha256", "value": sha256.hex()}}, "signature": signed}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


def _hashed_2(sha256: bytes, signature: bytes, certificate: x509.Certificate) -> Json:
    verifier = {
        "x509Certificate": {"rawBytes": b64(certificate_der(certificate))},
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    }
    hashed = {
        "data": {"algorithm": "SHA2_256", "digest": b64(sha256)},
        "signature": {"content": b64(signature), "verifier": verifier},
    }
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": hashed}}
