"""Whether an entry of a transparency log is about this signature by this key: else an entry of another could be lent.

For keyless signatures `sigstore` compares the same; it takes no bundles that are signed with a key.
"""

from __future__ import annotations

import hashlib

from agent_sync_oci.canonical import read_json
from agent_sync_oci.errors import ContentLies, SignatureRejected, TooMuch
from agent_sync_oci.signing.keys import PublicKey
from agent_sync_oci.signing.sigstore_bundle import Envelope, LogEntry, Message, base64_text

_SUBJECT = "the log entry of the signature"


def check_body(entry: LogEntry, content: Envelope | Message, key: PublicKey) -> None:
    """Nothing, if `entry` is about the signature of `content`, made with `key`. Raises SignatureRejected."""
    try:
        said = read_json(entry.body, subject=_SUBJECT)
    except (ContentLies, TooMuch) as error:
        raise SignatureRejected(subject=_SUBJECT, check="what the log holds cannot be read") from error
    match entry.kind, entry.version, content:
        case "hashedrekord", "0.0.2", _:
            expected = _hashedrekord_2(content, key)
        case "hashedrekord", "0.0.1", Message():
            expected = _hashedrekord_1(content, key)
        case "dsse", "0.0.1", Envelope():
            expected = _dsse_1(content, key)
            said = _without_envelope_hash(said)
        case _:
            check = f"an entry of the kind {entry.kind[:40]!r} {entry.version[:20]!r} does not suit it"
            raise SignatureRejected(subject=_SUBJECT, check=check)
    if said != {"apiVersion": entry.version, "kind": entry.kind, "spec": expected}:
        raise SignatureRejected(subject=_SUBJECT, check="the log holds it for another signature")


def _hashedrekord_2(content: Envelope | Message, key: PublicKey) -> object:
    """Rekor 2 (rekor-v2-spec §6.1): a digest and a signature, of envelopes too."""
    sha256 = content.sha256 if isinstance(content, Message) else hashlib.sha256(content.signed_bytes()).digest()
    verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": base64_text(key.der)}}
    return {
        "hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": base64_text(sha256)},
            "signature": {"content": base64_text(content.signature), "verifier": verifier},
        }
    }


def _hashedrekord_1(content: Message, key: PublicKey) -> object:
    signature = {"content": base64_text(content.signature), "publicKey": {"content": base64_text(key.pem)}}
    return {"data": {"hash": {"algorithm": "sha256", "value": content.sha256.hex()}}, "signature": signature}


def _dsse_1(content: Envelope, key: PublicKey) -> object:
    return {
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(content.payload).hexdigest()},
        "signatures": [{"signature": base64_text(content.signature), "verifier": base64_text(key.pem)}],
    }


def _without_envelope_hash(said: object) -> object:
    """That hash is of the envelope's JSON as it was sent to the log: nobody else knows how that was spelt."""
    if not isinstance(said, dict) or not isinstance(spec := said.get("spec"), dict):
        return said
    return {**said, "spec": {name: value for name, value in spec.items() if name != "envelopeHash"}}
