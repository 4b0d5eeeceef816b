"""Keys that sign bundles: ECDSA on P-256, in the two files that cosign reads and writes.

A private key is PEM around JSON, with scrypt for the pass phrase and a NaCl secret box (go-securesystemslib, package
`encrypted`), so that either program reads what the other wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from agent_sync_oci.errors import DigestMismatch, LimitExceeded, UnusableKey, WrongPassPhrase
from agent_sync_oci.strict_json import canonical_json, read_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey


# -- key file --------------------------------------------------------------------------------------------------------

_SUBJECT = "private key"
_LABELS = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")  # the second: before cosign 2
_PRIVATE_PEM = re.compile(rb"\s*-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=\s]+)-----END \1-----\s*")
_MAX_BYTES = 16 * 1024
_LINE = 64

# The only settings of scrypt that Go's reader takes too; each costs 128 * r * N bytes of memory: at most 128 MiB.
_ROUNDS = (1 << 16, 1 << 15, 1 << 17)
_R, _P = 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 32, 24, 32


def seal(secret: bytes, pass_phrase: bytes) -> bytes:
    """Return the PEM file that holds `secret`, encrypted with `pass_phrase`."""
    from nacl.secret import SecretBox
    from nacl.utils import random

    salt, nonce = random(_SALT_BYTES), random(_NONCE_BYTES)
    box = SecretBox(_stretched(pass_phrase, salt, _ROUNDS[0])).encrypt(secret, nonce).ciphertext
    document = {
        "kdf": {"name": "scrypt", "params": {"N": _ROUNDS[0], "r": _R, "p": _P}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(box),
    }
    encoded = base64.b64encode(canonical_json(document))
    lines = [encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)]
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (_LABELS[0], b"\n".join(lines), _LABELS[0])


def unseal(pem: bytes, pass_phrase: Callable[[], bytes]) -> bytes:
    """Return the secret in a PEM file; `pass_phrase` is called only if the file is whole.

    Raises:
        UnusableKey: the file is damaged or of another kind.
        WrongPassPhrase: another pass phrase decrypts it.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    salt, rounds, nonce, box = _parts(_document(pem))
    try:
        return SecretBox(_stretched(pass_phrase(), salt, rounds)).decrypt(box, nonce)
    except CryptoError as error:
        raise WrongPassPhrase(subject=_SUBJECT, check="wrong pass phrase") from error


def _document(pem: bytes) -> object:
    if len(pem) > _MAX_BYTES:
        raise UnusableKey(subject=_SUBJECT, check=f"the file is larger than {_MAX_BYTES} bytes")
    found = _PRIVATE_PEM.fullmatch(pem)
    if found is None:
        raise UnusableKey(subject=_SUBJECT, check="the file is not a single PEM block", remedy=_IMPORT_KEY)
    if found[1] not in _LABELS:
        check = f"the file holds {found[1].decode()} in PEM, not an encrypted Sigstore private key"
        raise UnusableKey(subject=_SUBJECT, check=check, remedy=_IMPORT_KEY)
    try:
        return read_json(base64.b64decode(re.sub(rb"\s+", b"", found[2]), validate=True), subject=_SUBJECT)
    except (binascii.Error, DigestMismatch, LimitExceeded) as error:
        raise _damaged() from error


def _parts(document: object) -> tuple[bytes, int, bytes, bytes]:
    """Return salt, rounds, nonce, and box."""
    try:
        match document:
            case {
                "kdf": {"name": "scrypt", "params": {"N": int(rounds), "r": int(r), "p": int(p)}, "salt": str(salt)},
                "cipher": {"name": "nacl/secretbox", "nonce": str(nonce)},
                "ciphertext": str(box),
            } if rounds in _ROUNDS and (r, p) == (_R, _P):
                parts = _octets(salt), rounds, _octets(nonce), _octets(box)
            case _:
                raise _damaged()
    except (binascii.Error, ValueError) as error:
        raise _damaged() from error
    if len(parts[0]) != _SALT_BYTES or len(parts[2]) != _NONCE_BYTES:
        raise _damaged()
    return parts


def _stretched(pass_phrase: bytes, salt: bytes, rounds: int) -> bytes:
    # OpenSSL refuses more than 32 MiB unless told; scrypt needs 128 * r * N bytes, and a little more.
    memory = 128 * _R * rounds + (1 << 20)
    return hashlib.scrypt(pass_phrase, salt=salt, n=rounds, r=_R, p=_P, maxmem=memory, dklen=_KEY_BYTES)


def _octets(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _damaged() -> UnusableKey:
    return UnusableKey(subject=_SUBJECT, check="the file is damaged, or encrypted in an unknown way")


_IMPORT_KEY = "encrypt a key of another program: cosign import-key-pair --key FILE"


# -- keys ------------------------------------------------------------------------------------------------------------

_PUBLIC_PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*")
_MAX_PUBLIC_BYTES = 16 * 1024


@dataclass(frozen=True)
class PublicKey:
    """A public key. `der` is its SubjectPublicKeyInfo, in the one encoding by which keys are compared and named."""

    der: bytes

    @property
    def hint(self) -> str:
        """Return the name of the key in bundles: the base64 SHA-256 of `der`, as cosign has it."""
        return base64.b64encode(hashlib.sha256(self.der).digest()).decode()

    @property
    def pem(self) -> bytes:
        """Return the file that `cosign verify --key` reads."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def has_signed(self, signature: bytes, content: bytes) -> bool:
        """Return whether `signature` is this key's over `content`."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._verified(signature, content, ECDSA(SHA256()))

    def has_signed_digest(self, signature: bytes, sha256: bytes) -> bool:
        """Return whether `signature` is this key's over the content with this digest."""
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
    """A key that signs; its `repr` shows nothing of it."""

    _key: EllipticCurvePrivateKey = field(repr=False)

    @cached_property
    def public(self) -> PublicKey:
        """Return the public half."""
        return _public(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """Return the signature over `content` in DER. From OpenSSL 3.2 on it is the same every time (RFC 6979)."""
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
    """Generate a key whose private half is encrypted with `pass_phrase`."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(seal(secret, pass_phrase), _public(key.public_key()).pem)


def load_private(pem: bytes, pass_phrase: Callable[[], bytes]) -> PrivateKey:
    """Load the private key of cosign's encrypted file; `pass_phrase` is called only if the file is whole.

    Raises:
        UnusableKey: the file is damaged, or holds another kind of key.
        WrongPassPhrase: another pass phrase decrypts it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    secret = unseal(pem, pass_phrase)
    try:
        key = load_der_private_key(secret, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(subject=_SUBJECT, check="the file encrypts something other than a key") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise UnusableKey(subject=_SUBJECT, check="not an ECDSA key on the curve P-256", remedy=_GENERATE_KEY)
    return PrivateKey(key)


def load_public(pem: bytes) -> PublicKey:
    """Load the public key of a PEM file with one `PUBLIC KEY`.

    Raises:
        UnusableKey: the file is damaged, or holds another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if len(pem) > _MAX_PUBLIC_BYTES or not _PUBLIC_PEM.fullmatch(pem):
        raise UnusableKey(subject="public key", check="the file is not a single PEM block `PUBLIC KEY`")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(subject="public key", check="the file is damaged") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise UnusableKey(subject="public key", check="not an ECDSA key on the curve P-256", remedy=_GENERATE_KEY)
    return _public(key)


def _public(key: EllipticCurvePublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


_GENERATE_KEY = "make a key of the right kind: cosign generate-key-pair"
