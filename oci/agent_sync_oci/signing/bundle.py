"""A Sigstore bundle as a value (protobuf-specs, sigstore_bundle.proto), read strictly and written in one spelling.

What is read here is not trusted yet: see `verify`. `Fields` reads protobuf's JSON, of bundles and of trusted roots."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import NoReturn, Self

from agent_sync_oci.errors import DigestMismatch, InvalidSignature, LimitExceeded
from agent_sync_oci.manifest import SIGSTORE_BUNDLE
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

# -- fields ----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")  # below 2^63: protobuf's int64 as text


class Fields:
    """One object; `subject` and `where` name it in errors. Every method raises InvalidSignature for other types."""

    __slots__ = ("_left", "_subject", "_where")

    def __init__(self, value: object, *, subject: str, where: str = "") -> None:
        self._subject = subject
        self._where = where
        self._left: dict[str, object] = value if isinstance(value, dict) else self._refuse("", "not an object")
        self._left = {name: field for name, field in self._left.items() if field is not None}

    def text(self, name: str) -> str:
        """Return the text, or an empty one."""
        value = self._left.pop(name, "")
        return value if isinstance(value, str) else self._refuse(name, "not text")

    def number(self, name: str) -> int:
        """Return the number from 0 to 2^63, which is written as text, or 0."""
        value = self._left.pop(name, "0")
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            self._refuse(name, "not a number from 0 to 2^63, as text")
        return int(value)

    def octets(self, name: str) -> bytes:
        """Return the bytes that base64 encodes, or none."""
        return self._octets(name, self._left.pop(name, ""))

    def each_octets(self, name: str) -> tuple[bytes, ...]:
        """Return the bytes of each element of a list."""
        return tuple(self._octets(f"{name}[{number}]", each) for number, each in enumerate(self._list(name)))

    def inner(self, name: str) -> Self | None:
        """Return the object inside, or None."""
        value = self._left.pop(name, None)
        return None if value is None else self._inside(value, name)

    def each(self, name: str) -> tuple[Self, ...]:
        """Return each object of a list."""
        return tuple(self._inside(each, f"{name}[{number}]") for number, each in enumerate(self._list(name)))

    def end(self) -> None:
        """Refuse fields that nobody took: another program might read them."""
        for name in self._left:
            self._refuse(name, "not a known field")

    def refuse(self, check: str) -> NoReturn:
        """Raise InvalidSignature for this object."""
        path = self._where.removeprefix(".")
        raise InvalidSignature(subject=self._subject, check=f"{path}: {check}" if path else check)

    def _list(self, name: str) -> list[object]:
        value = self._left.pop(name, [])
        return value if isinstance(value, list) else self._refuse(name, "not a list")

    def _inside(self, value: object, name: str) -> Self:
        return type(self)(value, subject=self._subject, where=f"{self._where}.{name}")

    def _octets(self, name: str, value: object) -> bytes:
        if isinstance(value, str):
            try:
                octets = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                octets = b""
            if base64.b64encode(octets).decode() == value:  # nor with stray bits at its end
                return octets
        return self._refuse(name, "not base64")

    def _refuse(self, name: str, check: str) -> NoReturn:
        path = f"{self._where}.{name}".strip(".")
        check = f"{quoted(path)} is {check}" if path else check
        raise InvalidSignature(subject=self._subject, check=check)


# -- values ----------------------------------------------------------------------------------------------------------

MAX_BUNDLE_BYTES = 4 * 1024 * 1024
_MAX_WITNESSES = 8  # log entries, and time stamps: each costs a check of a signature
_SUBJECT = "signature"

# How version 0.3 was written at first, and the formats before it, which carry a certificate in a chain.
_ANCESTORS = {f"application/vnd.dev.sigstore.bundle+json;version={version}" for version in ("0.1", "0.2", "0.3")}


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key's name: `text` is the base64 SHA-256 of the key in cosign's bundles, anything in others."""

    text: str


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """The signer's certificate, in DER."""

    der: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload (DSSE 1.0) with its one signature."""

    payload: bytes
    payload_type: str
    signature: bytes

    def signed_bytes(self) -> bytes:
        """Return what the signature is made over: DSSE's pre-authentication encoding."""
        return pre_authentication(self.payload, payload_type=self.payload_type)


@dataclass(frozen=True, slots=True)
class Message:
    """A signature over a file that is not in the bundle; `sha256` is the file's digest, 32 bytes."""

    sha256: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A proof that the entry is leaf `index` of a log with `size` leaves, whose root hash the signed note `checkpoint`
    has.
    """

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a transparency log. `promise`: the log's signature over it and `time_s` (seconds since 1970)."""

    index: int
    log_id: bytes
    kind: str
    version: str
    time_s: int
    promise: bytes
    proof: InclusionProof
    body: bytes


@dataclass(frozen=True, slots=True)
class SigstoreBundle:
    """A Sigstore bundle: who signed (`verifier`), what (`content`), and which logs and authorities saw it."""

    verifier: KeyHint | SigningCertificate
    content: Envelope | Message
    entries: tuple[LogEntry, ...] = ()
    time_stamps: tuple[bytes, ...] = ()


def pre_authentication(payload: bytes, *, payload_type: str) -> bytes:
    """Return DSSE's pre-authentication encoding (DSSE protocol 1.0, "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


# -- reading ---------------------------------------------------------------------------------------------------------


def read_bundle(content: bytes) -> SigstoreBundle:
    """Read a bundle in any format version up to 0.3.

    Raises:
        InvalidSignature: not JSON, a key twice, or fields that a bundle does not have.
        LimitExceeded: larger than MAX_BUNDLE_BYTES, or too many log entries or time stamps.
    """
    if len(content) > MAX_BUNDLE_BYTES:
        raise LimitExceeded(subject=_SUBJECT, check=f"larger than {MAX_BUNDLE_BYTES} bytes")
    try:
        fields = Fields(read_json(content, subject=_SUBJECT), subject=_SUBJECT)
    except DigestMismatch as error:
        raise InvalidSignature(subject=_SUBJECT, check=error.check) from error
    media_type = fields.text("mediaType")
    if media_type != SIGSTORE_BUNDLE and media_type not in _ANCESTORS:
        fields.refuse(f"media type {quoted(media_type)} is not that of a Sigstore bundle")
    material = fields.inner("verificationMaterial") or fields.refuse("a key or certificate is missing")
    stamps = material.inner("timestampVerificationData")
    bundle = SigstoreBundle(
        _verifier(material),
        _content(fields),
        tuple(map(read_entry, _few(material, "tlogEntries"))),
        tuple(map(_time_stamp, _few(stamps, "rfc3161Timestamps"))) if stamps else (),
    )
    for each in (fields, material, stamps):
        if each:
            each.end()
    return bundle


def _few(fields: Fields, name: str) -> tuple[Fields, ...]:
    found = fields.each(name)
    if len(found) > _MAX_WITNESSES:
        raise LimitExceeded(subject=_SUBJECT, check=f"{len(found)} {name}; at most {_MAX_WITNESSES} are read")
    return found


def _verifier(material: Fields) -> KeyHint | SigningCertificate:
    key, certificate, chain = map(material.inner, ("publicKey", "certificate", "x509CertificateChain"))
    if (key is not None) + (certificate is not None) + (chain is not None) != 1:
        material.refuse("exactly one key or certificate is required")
    if key:
        hint = key.text("hint")
        key.end()
        return KeyHint(hint)
    if chain:  # the signer's comes first; the others are looked up in the trusted root, not taken from here
        certificate, *_ = chain.each("certificates") or chain.refuse("a certificate is missing")
        chain.end()
    assert certificate
    der = certificate.octets("rawBytes")
    certificate.end()
    return SigningCertificate(der)


def _content(fields: Fields) -> Envelope | Message:
    envelope, message = fields.inner("dsseEnvelope"), fields.inner("messageSignature")
    if envelope and not message:
        signatures = envelope.each("signatures")
        if len(signatures) != 1:  # which of several counts would be a matter of taste
            envelope.refuse(f"{len(signatures)} signatures, where exactly one is required")
        read = Envelope(envelope.octets("payload"), envelope.text("payloadType"), signatures[0].octets("sig"))
        signatures[0].text("keyid")  # no signature covers it, and nobody reads it
        signatures[0].end()
        envelope.end()
        return read
    if message and not envelope:
        digest = message.inner("messageDigest") or message.refuse("the digest of the signed file is missing")
        sha256 = digest.octets("digest")
        if digest.text("algorithm") != "SHA2_256" or len(sha256) != 32:
            digest.refuse("not a SHA-256")
        signature = message.octets("signature")
        digest.end()
        message.end()
        return Message(sha256, signature)
    return fields.refuse("exactly one envelope or message signature is required")


def read_entry(fields: Fields) -> LogEntry:
    """Read the entry of a transparency log, as logs and bundles write it. Raises InvalidSignature."""
    log_id, kind = fields.inner("logId"), fields.inner("kindVersion")
    promise, proof = fields.inner("inclusionPromise"), fields.inner("inclusionProof")
    if not log_id or not kind or not proof:
        fields.refuse("the log's id, its kind, or the inclusion proof is missing")
    entry = LogEntry(
        fields.number("logIndex"),
        log_id.octets("keyId"),
        kind.text("kind"),
        kind.text("version"),
        fields.number("integratedTime"),
        promise.octets("signedEntryTimestamp") if promise else b"",
        _proof(proof),
        fields.octets("canonicalizedBody"),
    )
    if promise:
        promise.end()
    for each in (log_id, kind, fields):
        each.end()
    return entry


def _proof(fields: Fields) -> InclusionProof:
    checkpoint = fields.inner("checkpoint") or fields.refuse("a checkpoint is missing")
    proof = InclusionProof(
        fields.number("logIndex"),
        fields.number("treeSize"),
        fields.octets("rootHash"),
        fields.each_octets("hashes"),
        checkpoint.text("envelope"),
    )
    checkpoint.end()
    fields.end()
    return proof


def _time_stamp(fields: Fields) -> bytes:
    stamp = fields.octets("signedTimestamp")
    fields.end()
    return stamp


# -- writing ---------------------------------------------------------------------------------------------------------


def bundle_json(bundle: SigstoreBundle) -> bytes:
    """Return the bundle in format 0.3, as canonical JSON."""
    return canonical_json(
        {
            "mediaType": SIGSTORE_BUNDLE,
            "verificationMaterial": {
                **_verifier_json(bundle.verifier),
                "tlogEntries": [_entry_json(entry) for entry in bundle.entries],
                **_timestamps_json(bundle.time_stamps),
            },
            **_content_json(bundle.content),
        }
    )


def base64_text(octets: bytes) -> str:
    """Return base64 as ProtoJSON writes bytes."""
    return base64.b64encode(octets).decode()


def _verifier_json(verifier: KeyHint | SigningCertificate) -> dict[str, object]:
    match verifier:
        case KeyHint():
            return {"publicKey": {"hint": verifier.text}}
        case SigningCertificate():
            return {"certificate": {"rawBytes": base64_text(verifier.der)}}


def _content_json(content: Envelope | Message) -> dict[str, object]:
    signature = base64_text(content.signature)
    match content:
        case Envelope():
            payload = {"payload": base64_text(content.payload), "payloadType": content.payload_type}
            return {"dsseEnvelope": {**payload, "signatures": [{"sig": signature}]}}
        case Message():
            digest = {"algorithm": "SHA2_256", "digest": base64_text(content.sha256)}
            return {"messageSignature": {"messageDigest": digest, "signature": signature}}


def _timestamps_json(stamps: tuple[bytes, ...]) -> dict[str, object]:
    listed = [{"signedTimestamp": base64_text(stamp)} for stamp in stamps]
    return {"timestampVerificationData": {"rfc3161Timestamps": listed}} if listed else {}


def _entry_json(entry: LogEntry) -> dict[str, object]:
    return {
        "logIndex": str(entry.index),
        "logId": {"keyId": base64_text(entry.log_id)},
        "kindVersion": {"kind": entry.kind, "version": entry.version},
        **({"integratedTime": str(entry.time_s)} if entry.time_s else {}),
        **({"inclusionPromise": {"signedEntryTimestamp": base64_text(entry.promise)}} if entry.promise else {}),
        "inclusionProof": {
            "logIndex": str(entry.proof.index),
            "rootHash": base64_text(entry.proof.root),
            "treeSize": str(entry.proof.size),
            "hashes": [base64_text(each) for each in entry.proof.hashes],
            "checkpoint": {"envelope": entry.proof.checkpoint},
        },
        "canonicalizedBody": base64_text(entry.body),
    }
