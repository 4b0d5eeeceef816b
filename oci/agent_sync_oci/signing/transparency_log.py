"""Verify an entry of a transparency log: its inclusion proof, the signed note over the log's root, its promise,
its body.

Everything that an entry says must hold, or the entry is refused: nothing in it is merely passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from agent_sync_oci.errors import DigestMismatch, InvalidSignature, LimitExceeded
from agent_sync_oci.signing.bundle import Envelope, InclusionProof, LogEntry, Message, base64_text
from agent_sync_oci.signing.keys import PublicKey
from agent_sync_oci.signing.trusted_root import LogKey
from agent_sync_oci.strict_json import canonical_json, read_json

_SUBJECT = "log entry of the signature"
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_LATEST_S = 2**38  # in the year 10680; larger numbers are beyond `datetime`


def verify_entry(entry: LogEntry, logs: Mapping[bytes, LogKey]) -> None:
    """Verify that one of `logs` holds the entry, and held it at the time it states. Raises InvalidSignature if not."""
    key = logs.get(entry.log_id)
    if key is None:
        _refuse("the trusted root does not have its log")
    _verify_proof(entry, key)
    if entry.promise:
        _verify_promise(entry, key)
    # Rekor 2 signs no times: one that is stated all the same was added by somebody else.
    elif entry.time_s:
        _refuse("no log signed the time in this entry")
    elif entry.index != entry.proof.index:
        _refuse("the index differs from the one in the inclusion proof")


# -- the proof of inclusion ------------------------------------------------------------------------------------------


def _verify_proof(entry: LogEntry, key: LogKey) -> None:
    proof = entry.proof
    if _checkpoint(proof.checkpoint, entry.log_id, key) != (proof.size, proof.root):
        _refuse("the checkpoint is of another state of the log than the proof")
    if _root(entry.body, proof) != proof.root:
        _refuse("the proof does not show that the log holds this entry")


def _root(body: bytes, proof: InclusionProof) -> bytes | None:
    """Return the root hash that leaf and proof give (RFC 9162 §2.1.3.2); None for a malformed proof."""
    if not proof.index < proof.size:
        return None
    node, last = proof.index, proof.size - 1
    root = hashlib.sha256(b"\x00" + body).digest()
    for sibling in proof.hashes:
        # A proof that is longer than the way to the root would let its end be anything.
        if not last or len(sibling) != len(root):
            return None
        if node & 1 or node == last:
            root = hashlib.sha256(b"\x01" + sibling + root).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + sibling).digest()
        node, last = node >> 1, last >> 1
    return None if last else root


def _checkpoint(note: str, log_id: bytes, key: LogKey) -> tuple[int, bytes]:
    """Return size and root hash of the log from its signed note (C2SP: tlog-checkpoint, signed-note)."""
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or not signatures.endswith("\n") or len(lines) < 3 or not _NUMBER.fullmatch(lines[1]):
        _refuse("the checkpoint is not a signed note")
    name = lines[0].partition(" - ")[0]  # Rekor 1 writes the number of its tree behind its name
    ours = [
        signature[4:]
        for signer, signature in map(_signature, signatures[:-1].split("\n"))
        if (signer, signature[:4]) == (name, log_id[:4])
    ]
    if len(ours) != 1 or not key.has_signed(ours[0], f"{text}\n".encode()):
        _refuse("the checkpoint is not signed by the log")
    return int(lines[1]), _octets(lines[2])


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE_LINE.fullmatch(line)
    return (found[1], _octets(found[2])) if found else _refuse("the checkpoint is not a signed note")


def _octets(text: str) -> bytes:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    # Only the one encoding of these bytes: stray bits at the end would be a second spelling.
    return octets if base64_text(octets) == text else _refuse("the checkpoint is not a signed note")


# -- the promise -----------------------------------------------------------------------------------------------------


def _verify_promise(entry: LogEntry, key: LogKey) -> None:
    """Verify Rekor 1's signed entry timestamp: over the entry, its index, and the time at which the log took it."""
    said = {
        "body": base64_text(entry.body),
        "integratedTime": entry.time_s,
        "logID": entry.log_id.hex(),
        "logIndex": entry.index,
    }
    if not 0 < entry.time_s < _LATEST_S or not key.has_signed(entry.promise, canonical_json(said)):
        _refuse("the time is not signed by the log")
    if datetime.fromtimestamp(entry.time_s, UTC) not in key.period:
        _refuse("the log's key was not valid at that time")


def _refuse(check: str) -> NoReturn:
    raise InvalidSignature(subject=_SUBJECT, check=check)


# -- the body --------------------------------------------------------------------------------------------------------


def verify_entry_body(entry: LogEntry, content: Envelope | Message, key: PublicKey) -> None:
    """Verify that `entry` is about the signature of `content` made with `key`. Raises InvalidSignature if not.

    Without this, the log entry of another signature could be attached. For keyless signatures `sigstore` compares the
    same.
    """
    try:
        said = read_json(entry.body, subject=_SUBJECT)
    except (DigestMismatch, LimitExceeded) as error:
        raise InvalidSignature(subject=_SUBJECT, check="the body is not strict JSON") from error
    match entry.kind, entry.version, content:
        case "hashedrekord", "0.0.2", _:
            expected = _hashedrekord_2(content, key)
        case "hashedrekord", "0.0.1", Message():
            expected = _hashedrekord_1(content, key)
        case "dsse", "0.0.1", Envelope():
            expected = _dsse_1(content, key)
            said = _without_envelope_hash(said)
        case _:
            _refuse(f"an entry of the kind {entry.kind[:40]!r} {entry.version[:20]!r} does not fit the signature")
    if said != {"apiVersion": entry.version, "kind": entry.kind, "spec": expected}:
        _refuse("the log holds this entry for another signature")


def _hashedrekord_2(content: Envelope | Message, key: PublicKey) -> object:
    """Return Rekor 2's body (rekor-v2-spec §6.1): a digest and a signature, of envelopes too."""
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
    """Leave out the hash of the envelope's JSON as it was sent to the log: nobody else knows how that was written."""
    if not isinstance(said, dict) or not isinstance(spec := said.get("spec"), dict):
        return said
    return {**said, "spec": {name: value for name, value in spec.items() if name != "envelopeHash"}}
