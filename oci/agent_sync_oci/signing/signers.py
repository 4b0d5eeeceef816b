"""Signers: a key, or an identity together with the issuer that vouches for it (Fulcio's oid-info.md).

An identity without its issuer proves nothing: any issuer may call anybody anything.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.bundle import KeyHint, SigningCertificate
from agent_sync_oci.signing.keys import PublicKey
from agent_sync_oci.text import quoted

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Extensions


# -- certificates ----------------------------------------------------------------------------------------------------

_CERTIFICATE = "certificate of the signer"
_ISSUER = "1.3.6.1.4.1.57264.1.8"
_FIRST_ISSUER = "1.3.6.1.4.1.57264.1.1"  # the same as bare text; the only one in certificates of 2022 and before
_SILENCE = threading.Lock()  # what is warned of is a setting of the whole process


class Identity(NamedTuple):
    """An e-mail address or a URI, and the address of the issuer that vouches for it."""

    name: str
    issuer: str


@contextmanager
def reading_certificates(subject: str) -> Iterator[None]:
    """Read certificates that somebody else made in the block: whatever is wrong with one is InvalidSignature.

    `cryptography` also warns of some: that would print foreign text on a terminal.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import (
        AttributeNotFound,
        DuplicateExtension,
        ExtensionNotFound,
        InvalidVersion,
        UnsupportedGeneralNameType,
    )

    damage = (AttributeNotFound, DuplicateExtension, ExtensionNotFound, InvalidVersion, UnsupportedGeneralNameType)
    try:
        with _SILENCE, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (*damage, LookupError, TypeError, UnsupportedAlgorithm, ValueError) as error:
        check = f"damaged: {quoted(str(error).partition(chr(10))[0])}"
        raise InvalidSignature(subject=subject, check=check) from error


def identity_in(der: bytes) -> Identity:
    """Return the identity in a certificate, unverified. Raises InvalidSignature if there is not exactly one."""
    from cryptography.x509 import load_der_x509_certificate

    with reading_certificates(_CERTIFICATE):
        return identity_of(load_der_x509_certificate(der))


def identity_of(certificate: Certificate) -> Identity:
    """Return the identity in this certificate. Raises InvalidSignature if there is not exactly one."""
    from cryptography.x509 import (
        ExtensionNotFound,
        RFC822Name,
        SubjectAlternativeName,
        UniformResourceIdentifier,
    )

    extensions = certificate.extensions
    try:
        names = list(extensions.get_extension_for_class(SubjectAlternativeName).value)
    except ExtensionNotFound as error:
        raise _rejected("no identity in it") from error
    match names:
        case [RFC822Name(value=name) | UniformResourceIdentifier(value=name)] if name:
            return Identity(name, _issuer(extensions))
        case _:
            raise _rejected("exactly one e-mail address or URI is required")


def _issuer(extensions: Extensions) -> str:
    first, second = _extension(extensions, _FIRST_ISSUER), _extension(extensions, _ISSUER)
    said = {octets for octets in (first, _utf8_string(second)) if octets is not None}
    if len(said) != 1 or b"" in said:
        raise _rejected("exactly one issuer is required")
    try:
        return said.pop().decode()
    except UnicodeDecodeError as error:
        raise _rejected("damaged") from error


def _extension(extensions: Extensions, dotted: str) -> bytes | None:
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, UnrecognizedExtension

    try:
        value = extensions.get_extension_for_oid(ObjectIdentifier(dotted)).value
    except ExtensionNotFound:
        return None
    assert isinstance(value, UnrecognizedExtension)
    return value.value


def _utf8_string(der: bytes | None) -> bytes | None:
    """Return the text of a UTF8String of up to 255 bytes, in the one encoding that DER has for it."""
    if der is None:
        return None
    for header in (b"\x0c" + der[1:2], b"\x0c\x81" + der[2:3]):
        body = der[len(header) :]
        if der.startswith(header) and len(body) == header[-1] and (len(body) > 127) == (len(header) == 3):
            return body
    raise _rejected("the issuer is not text")


def _rejected(check: str) -> InvalidSignature:
    return InvalidSignature(subject=_CERTIFICATE, check=check)


# -- signers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Whoever has the private half of a key. The same key is the same signer, whatever its `label` for people."""

    public_key: PublicKey
    label: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """Return the short name: the label if there is one."""
        return self.label or f"key {self.public_key.hint}"

    def __str__(self) -> str:
        return f"{self.label} (key {self.public_key.hint})" if self.label else self.name


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """Exactly this e-mail address or URI, vouched for by exactly this issuer. Raises ValueError if one is missing."""

    identity: str
    issuer: str

    def __post_init__(self) -> None:
        if not self.identity or not self.issuer:
            raise ValueError("an identity requires its issuer, and an issuer an identity")

    @property
    def name(self) -> str:
        """Return the short name: the identity."""
        return self.identity

    def __str__(self) -> str:
        return f"{self.identity} ({self.issuer})"


Signer = KeySigner | IdentitySigner


def match_signer(verifier: KeyHint | SigningCertificate, signers: Sequence[Signer]) -> Signer | None:
    """Return the one of `signers` that a verifier names, unverified; None if none.

    Raises:
        InvalidSignature: its certificate names nobody, or several.
    """
    match verifier:
        case KeyHint(text=hint):
            return next(
                (each for each in signers if isinstance(each, KeySigner) and each.public_key.hint == hint), None
            )
        case SigningCertificate(der=der):
            claimed = IdentitySigner(*identity_in(der))
            return next((each for each in signers if each == claimed), None)


def describe_verifier(verifier: KeyHint | SigningCertificate) -> str:
    """Return who claims to have made a signature, in words and unverified."""
    match verifier:
        case KeyHint(text=hint):
            return f"key {hint}" if hint else "a key without a name"
        case SigningCertificate(der=der):
            return str(IdentitySigner(*identity_in(der)))
