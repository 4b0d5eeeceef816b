"""Keys that sign bundles: ECDSA on P-256, in the two files that cosign reads and writes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from agent_sync_oci.errors import KeyUnusable
from agent_sync_oci.signing.key_file import seal, unseal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey

_PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*")
_MOST_BYTES = 16 * 1024


@dataclass(frozen=True)
class PublicKey:
    """`der`: the SubjectPublicKeyInfo, in the one encoding with which a key is compared and named."""

    der: bytes

    @property
    def hint(self) -> str:
        """How bundles name the key: the base64 SHA-256 of `der`, as cosign has it."""
        return base64.b64encode(hashlib.sha256(self.der).digest()).decode()

    @property
    def pem(self) -> bytes:
        """The file that `cosign verify --key` reads."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def has_signed(self, signature: bytes, content: bytes) -> bool:
        """Whether `signature` is this key's over `content`."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._verified(signature, content, ECDSA(SHA256()))

    def has_signed_digest(self, signature: bytes, sha256: bytes) -> bool:
        """Whether `signature` is this key's over the content with this digest."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._verified(signature, sha256, ECDSA(Prehashed(SHA256())))

    def _verified(self, signature: bytes, content: bytes, algorithm: ECDSA) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, content, algorithm)
        except InvalidSignature:
            return False
        return True

    @cached_property
    def _key(self) -> EllipticCurvePublicKey:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        key = load_der_public_key(self.der)
        assert isinstance(key, EllipticCurvePublicKey)
        return key


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs; it never shows itself."""

    _key: EllipticCurvePrivateKey = field(repr=False)

    @cached_property
    def public(self) -> PublicKey:
        """Its other half."""
        return _public(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """The signature over `content`, in DER; where OpenSSL can (3.2), the same one every time (RFC 6979)."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            return self._key.sign(content, ECDSA(SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            return self._key.sign(content, ECDSA(SHA256()))


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two files of a new key: `private_pem` is encrypted."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes


def generate(pass_phrase: bytes) -> KeyPair:
    """A new key whose private half `pass_phrase` opens."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(seal(secret, pass_phrase), _public(key.public_key()).pem)


def load_private(pem: bytes, pass_phrase: Callable[[], bytes]) -> PrivateKey:
    """The private key of cosign's encrypted file; `pass_phrase` is asked for only when the file is whole.

    Raises KeyUnusable.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    secret = unseal(pem, pass_phrase)
    try:
        key = load_der_private_key(secret, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(subject="the private key", check="what the file encrypts is no key") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyUnusable(subject="the private key", check="it is no ECDSA key on the curve P-256", remedy=_REMEDY)
    return PrivateKey(key)


def load_public(pem: bytes) -> PublicKey:
    """The public key of a PEM file with one `PUBLIC KEY`. Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if len(pem) > _MOST_BYTES or not _PEM.fullmatch(pem):
        raise KeyUnusable(subject="the public key", check="the file is not one whole PEM block `PUBLIC KEY`")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(subject="the public key", check="the file is damaged") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise KeyUnusable(subject="the public key", check="it is no ECDSA key on the curve P-256", remedy=_REMEDY)
    return _public(key)


def _public(key: EllipticCurvePublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


_REMEDY = "`cosign generate-key-pair` makes one of the right kind"
