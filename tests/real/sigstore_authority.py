"""A certificate authority as Fulcio is one: a root, an intermediate, certificates for minutes, each in a CT log.

The certificates carry the extensions of Fulcio's oid-info.md and a signed certificate timestamp (RFC 6962).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_FULCIO = "1.3.6.1.4.1.57264.1"
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_YEARS = timedelta(days=3650)

# Which claim of a GitHub token becomes which extension: in the first form as bare text, in the second as UTF8String.
_FIRST_EXTENSIONS = {"event_name": 2, "sha": 3, "workflow": 4, "repository": 5, "ref": 6}
_EXTENSIONS = {"sha": 13, "ref": 14, "event_name": 20}


def public_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate_der(certificate: x509.Certificate) -> bytes:
    """The certificate in DER."""
    return certificate.public_bytes(Encoding.DER)


def now() -> datetime:
    """This second."""
    return datetime.now(UTC).replace(microsecond=0)


class CertificateAuthority:
    """`start`: since when its own certificates are valid."""

    def __init__(self, start: datetime) -> None:
        self._root_key = ec.generate_private_key(ec.SECP384R1())
        self._key = ec.generate_private_key(ec.SECP384R1())
        self.ct_key = ec.generate_private_key(ec.SECP256R1())
        self.root = a_ca_certificate("fake-sigstore", self._root_key, start=start, path_length=1)
        self.intermediate = a_ca_certificate(
            "fake-sigstore-intermediate", self._key, start=start, path_length=0, issuer=(self.root, self._root_key)
        )

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        identities: list[str],
        issuer: str,
        *,
        at: datetime | None = None,
        claims: Mapping[str, str] | None = None,
        logged: bool = True,
    ) -> x509.Certificate:
        """A certificate for ten minutes from `at`. Without `logged`, it has no signed certificate timestamp."""
        start = at or now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.intermediate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(minutes=10))
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(list(map(_name, identities))), critical=True)
        )
        for oid, value in _fulcio_extensions(issuer, claims or {}):
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        if logged:
            precertificate = builder.sign(self._key, SHA384()).tbs_certificate_bytes
            timestamps = _octet_string(self._signed_certificate_timestamps(precertificate, start))
            builder = builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, timestamps), critical=False)
        return builder.sign(self._key, SHA384())

    def _signed_certificate_timestamps(self, precertificate: bytes, at: datetime) -> bytes:
        """RFC 6962 §3.2 and §3.3: one timestamp in a list."""
        milliseconds = int(at.timestamp() * 1000)
        issuer = hashlib.sha256(public_der(self._key)).digest()
        entry = issuer + len(precertificate).to_bytes(3, "big") + precertificate + b"\0\0"
        signature = self.ct_key.sign(struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry, ec.ECDSA(SHA256()))
        log_id = hashlib.sha256(public_der(self.ct_key)).digest()
        timestamp = b"\0" + log_id + struct.pack("!QH", milliseconds, 0) + b"\x04\x03" + _prefixed(signature)
        return _prefixed(_prefixed(timestamp))


def a_ca_certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    start: datetime,
    path_length: int,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
) -> x509.Certificate:
    """The certificate of an authority, signed by `issuer` or by itself."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "fake.dev"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    above, above_key = issuer or (None, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(digital_signature=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if above:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(above_key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(above_key, SHA256())


def a_time_stamping_certificate(
    key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """The certificate of a time-stamp authority (RFC 3161 §2.3)."""
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-tsa")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .sign(issuer_key, SHA256())
    )


def _key_usage(*, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not digital_signature,
        crl_sign=not digital_signature,
        encipher_only=False,
        decipher_only=False,
    )


def _name(identity: str) -> x509.GeneralName:
    is_mail = "@" in identity and "://" not in identity
    return x509.RFC822Name(identity) if is_mail else x509.UniformResourceIdentifier(identity)


def _fulcio_extensions(issuer: str, claims: Mapping[str, str]) -> list[tuple[ObjectIdentifier, bytes]]:
    bare = {1: issuer} | {number: claims[name] for name, number in _FIRST_EXTENSIONS.items() if name in claims}
    encoded = {8: issuer} | {number: claims[name] for name, number in _EXTENSIONS.items() if name in claims}
    values = [(number, text.encode()) for number, text in bare.items()]
    values += [(number, _utf8_string(text)) for number, text in encoded.items()]
    return [(ObjectIdentifier(f"{_FULCIO}.{number}"), value) for number, value in sorted(values)]


def _utf8_string(text: str) -> bytes:
    return b"\x0c" + _length(text.encode())


def _octet_string(octets: bytes) -> bytes:
    return b"\x04" + _length(octets)


def _length(octets: bytes) -> bytes:
    """The octets behind their length, as DER has it."""
    size = len(octets)
    return (bytes([size]) if size < 128 else bytes([0x81, size])) + octets


def _prefixed(octets: bytes) -> bytes:
    """The octets behind their length, as TLS has it."""
    return struct.pack("!H", len(octets)) + octets
