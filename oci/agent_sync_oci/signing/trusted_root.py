"""The trusted root: the certificate authorities, logs, and time-stamp authorities that keyless signatures rest on.

A root comes from a file that is pinned by its SHA-256; nothing is fetched, cached, or refreshed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

from agent_sync_oci.errors import DigestMismatch, InvalidSignature, LimitExceeded
from agent_sync_oci.signing.bundle import Fields
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from sigstore.verify import Verifier

_SUBJECT = "trusted root"
_MAX_BYTES = 1024 * 1024
_MEDIA_TYPES = {
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
}


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `start` to `end`, both included; None: forever."""

    start: datetime | None
    end: datetime | None

    def __contains__(self, moment: datetime) -> bool:
        # Logs and most authorities tell whole seconds: the second in which a period ends belongs to the period.
        second = moment.replace(microsecond=0)
        return (self.start is None or self.start <= moment) and (self.end is None or second <= self.end)


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key of a transparency log, as SubjectPublicKeyInfo in DER; `details` names its algorithm."""

    der: bytes = field(repr=False)
    details: str
    period: Period

    def has_signed(self, signature: bytes, content: bytes) -> bool:
        """Return whether `signature` is the log's over `content`. Raises InvalidSignature if the key is not usable."""
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            match self.details, load_der_public_key(self.der):
                case "PKIX_ECDSA_P256_SHA_256", EllipticCurvePublicKey() as key:
                    key.verify(signature, content, ECDSA(SHA256()))
                case "PKIX_ED25519", Ed25519PublicKey() as key:
                    key.verify(signature, content)
                case _:
                    raise _rejected(f"a log's key is of an unknown kind: {quoted(self.details)}")
        except InvalidSignature:
            return False
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _rejected("a log's key is damaged") from error
        return True


@dataclass(frozen=True, slots=True)
class TimeAuthority:
    """A time-stamp authority: its certificates in DER, its own first, the root last."""

    certificates: tuple[bytes, ...] = field(repr=False)
    period: Period


@dataclass(frozen=True)
class TrustedRoot:
    """A trusted root, made by `read`. `logs` go by the ids in entries and checkpoints. Equal if its bytes are."""

    content: bytes = field(repr=False)
    logs: Mapping[bytes, LogKey] = field(compare=False, repr=False)
    time_authorities: tuple[TimeAuthority, ...] = field(compare=False, repr=False)

    @classmethod
    def read(cls, content: bytes, expected_sha256: str | None = None) -> Self:
        """Read a root (protobuf-specs, sigstore_trustroot.proto), if `expected_sha256` (hex) is its SHA-256.

        Raises:
            InvalidSignature: another file than the pinned one, or not a trusted root.
            LimitExceeded: larger than 1 MiB.
        """
        if len(content) > _MAX_BYTES:
            raise LimitExceeded(subject=_SUBJECT, check=f"larger than {_MAX_BYTES} bytes")
        sha256 = hashlib.sha256(content).hexdigest()
        if expected_sha256 not in (None, sha256):
            remedy = "use the pinned file; if the new one is wanted, pin its SHA-256"
            raise _rejected(f"SHA-256 {sha256} differs from the pinned {expected_sha256}", remedy)
        try:
            fields = Fields(read_json(content, subject=_SUBJECT), subject=_SUBJECT)
        except DigestMismatch as error:
            raise _rejected(error.check) from error
        if (media_type := fields.text("mediaType")) not in _MEDIA_TYPES:
            fields.refuse(f"media type {quoted(media_type)} is not that of a trusted root")
        logs = {name: key for each in fields.each("tlogs") for name, key in _log(each)}
        return cls(content, logs, tuple(map(_time_authority, fields.each("timestampAuthorities"))))

    @property
    def sha256(self) -> str:
        """Return the file's SHA-256, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def verifier(self) -> Verifier:
        """Return what verifies certificates against this root; made once, since making it costs more than using it.

        Raises:
            InvalidSignature: the root lacks what a keyless signature needs.
        """
        import logging

        from sigstore.errors import Error
        from sigstore.models import TrustedRoot as Parsed
        from sigstore.verify import Verifier
        from sigstore_models.trustroot.v1 import TrustedRoot as Model

        logging.getLogger("sigstore").addHandler(logging.NullHandler())  # what it warns of is in our errors
        try:
            # Spelt anew, so that both readers have read the same.
            model = Model.from_json(canonical_json(_with_ends_included(read_json(self.content, subject=_SUBJECT))))
            return Verifier(trusted_root=Parsed(model))
        except (Error, ValueError) as error:
            raise _rejected(f"not usable for keyless signatures: {_first_line(error)}") from error


def _log(fields: Fields) -> list[tuple[bytes, LogKey]]:
    """Return the log under each of its ids."""
    key = fields.inner("publicKey") or fields.refuse("a key is missing")
    made = LogKey(key.octets("rawBytes"), key.text("keyDetails"), _period(key))
    names = [each.octets("keyId") for each in (fields.inner("logId"), fields.inner("checkpointKeyId")) if each]
    return [(name, made) for name in names if name] or fields.refuse("an id is missing")


def _time_authority(fields: Fields) -> TimeAuthority:
    chain = fields.inner("certChain") or fields.refuse("certificates are missing")
    certificates = tuple(each.octets("rawBytes") for each in chain.each("certificates"))
    if len(certificates) < 2:
        fields.refuse("the certificates of the authority and of a root are required")
    return TimeAuthority(certificates, _period(fields))


def _period(fields: Fields) -> Period:
    valid = fields.inner("validFor")
    return Period(_moment(valid, "start"), _moment(valid, "end")) if valid else Period(None, None)


def _moment(fields: Fields, name: str) -> datetime | None:
    text = fields.text(name)
    if not text:
        return None
    try:
        return _parse_moment(text)
    except ValueError:
        fields.refuse(f"{quoted(text)} is not a time")


def _parse_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _with_ends_included(root: object) -> object:
    """Move the end of each time-stamp authority's period to the next second: `sigstore` excludes the end."""
    authorities = root.get("timestampAuthorities") if isinstance(root, dict) else None
    for authority in authorities or []:
        if (valid := authority.get("validFor")) and (end := valid.get("end")):  # of these types: `read` has seen to it
            moment = min(_parse_moment(end).replace(microsecond=0), _LATEST)
            valid["end"] = (moment + timedelta(seconds=1)).isoformat()
    return root


_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
"""The last moment to which, in any time zone, a second can be added."""


def _first_line(error: Exception) -> str:
    return quoted(str(error).partition("\n")[0])


def _rejected(check: str, remedy: str | None = None) -> InvalidSignature:
    return InvalidSignature(subject=_SUBJECT, check=check, remedy=remedy)
