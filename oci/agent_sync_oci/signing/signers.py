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


# -- Whom a Fulcio certificate names: one identity, vouched for by one issuer (Fulcio's oid-info.md). Taking either
# without the other would be a mistake: any issuer may call anybody anything.

_CERTIFICATE = "the signer's certificate"
_ISSUER = "1.3.6.1.4.1.57264.1.8"
_FIRST_ISSUER = "1.3.6.1.4.1.57264.1.1"  # the same as bare text; the only one in certificates of 2022 and before
_SILENCE = threading.Lock()  # what is warned of is a setting of the whole process


class Identity(NamedTuple):
    """An e-mail address or a URI, and the address of who knows that it is true."""

    name: str
    issuer: str


@contextmanager
def reading_certificates(subject: str) -> Iterator[None]:
    """Inside, certificates are read that somebody else made: whatever is wrong with one is SignatureRejected.

    `cryptography` also warns of some: that would be foreign text on somebody's terminal.
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
        check = f"it is damaged: {quoted(str(error).partition(chr(10))[0])}"
        raise InvalidSignature(subject=subject, check=check) from error


def identity_in(der: bytes) -> Identity:
    """The identity in a certificate of which nothing is checked. Raises SignatureRejected: it names not just one."""
    from cryptography.x509 import load_der_x509_certificate

    with reading_certificates(_CERTIFICATE):
        return identity_of(load_der_x509_certificate(der))


def identity_of(certificate: Certificate) -> Identity:
    """The identity in this certificate. Raises SignatureRejected: it names not just one."""
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
        raise _rejected("it names nobody") from error
    match names:
        case [RFC822Name(value=name) | UniformResourceIdentifier(value=name)] if name:
            return Identity(name, _issuer(extensions))
        case _:
            raise _rejected("it does not name just one e-mail address or URI")


def _issuer(extensions: Extensions) -> str:
    first, second = _extension(extensions, _FIRST_ISSUER), _extension(extensions, _ISSUER)
    said = {octets for octets in (first, _utf8_string(second)) if octets is not None}
    if len(said) != 1 or b"" in said:
        raise _rejected("it does not name just one issuer")
    try:
        return said.pop().decode()
    except UnicodeDecodeError as error:
        raise _rejected("it is damaged") from error


def _extension(extensions: Extensions, dotted: str) -> bytes | None:
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, UnrecognizedExtension

    try:
        value = extensions.get_extension_for_oid(ObjectIdentifier(dotted)).value
    except ExtensionNotFound:
        return None
    assert isinstance(value, UnrecognizedExtension)
    return value.value


def _utf8_string(der: bytes | None) -> bytes | None:
    """What a UTF8String of up to 255 bytes holds, in the one encoding that DER has for it."""
    if der is None:
        return None
    for header in (b"\x0c" + der[1:2], b"\x0c\x81" + der[2:3]):
        body = der[len(header) :]
        if der.startswith(header) and len(body) == header[-1] and (len(body) > 127) == (len(header) == 3):
            return body
    raise _rejected("its issuer is no text")


def _rejected(check: str) -> InvalidSignature:
    return InvalidSignature(subject=_CERTIFICATE, check=check)


# -- Who may have signed: a key, or an identity with the issuer that vouches for it.


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Whoever has the private half of a key; `label` is how people name it. The same key is the same signer."""

    public_key: PublicKey
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        hint = f"key {self.public_key.hint}"
        return f"{self.label} ({hint})" if self.label else hint


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """Exactly this e-mail address or URI, vouched for by exactly this issuer. Raises ValueError: one is missing."""

    identity: str
    issuer: str

    def __post_init__(self) -> None:
        if not self.identity or not self.issuer:
            raise ValueError("an identity says little without its issuer, and an issuer nothing without an identity")

    def __str__(self) -> str:
        return f"{self.identity} ({self.issuer})"


Signer = KeySigner | IdentitySigner


def match_signer(verifier: KeyHint | SigningCertificate, signers: Sequence[Signer]) -> Signer | None:
    """The one of `signers` who made a signature, if what it claims is true; None: none of them.

    Raises SignatureRejected: its certificate names nobody, or several.
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
    """Who claims to have made a signature, in words. Nothing has been checked."""
    match verifier:
        case KeyHint(text=hint):
            return f"key {hint}" if hint else "a key without a name"
        case SigningCertificate(der=der):
            return str(IdentitySigner(*identity_in(der)))
