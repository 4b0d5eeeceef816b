"""A private key in cosign's own file: PEM around JSON, with scrypt for the pass phrase and a NaCl secret box.

The same format as `cosign generate-key-pair` writes (go-securesystemslib, package `encrypted`), so that either program
reads what the other wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

from agent_sync_oci.canonical import canonical_json, read_json
from agent_sync_oci.errors import ContentLies, KeyUnusable, TooMuch

_SUBJECT = "the private key"
_LABELS = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")  # the second: before cosign 2
_PEM = re.compile(rb"\s*-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=\s]+)-----END \1-----\s*")
_MOST_BYTES = 16 * 1024
_LINE = 64

# The only settings of scrypt that Go's reader takes too; each costs 128 * r * N bytes of memory: at most 128 MiB.
_ROUNDS = (1 << 16, 1 << 15, 1 << 17)
_R, _P = 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 32, 24, 32


def seal(secret: bytes, pass_phrase: bytes) -> bytes:
    """The PEM file that holds `secret`, to be opened with `pass_phrase`."""
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
    """The secret inside; `pass_phrase` is asked for only when the file is whole.

    Raises KeyUnusable: it is no such file, is damaged, or another pass phrase opens it.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    salt, rounds, nonce, box = _parts(_document(pem))
    try:
        return SecretBox(_stretched(pass_phrase(), salt, rounds)).decrypt(box, nonce)
    except CryptoError as error:
        raise KeyUnusable(subject=_SUBJECT, check="this pass phrase does not open it") from error


def _document(pem: bytes) -> object:
    if len(pem) > _MOST_BYTES:
        raise KeyUnusable(subject=_SUBJECT, check=f"the file is larger than {_MOST_BYTES} bytes")
    found = _PEM.fullmatch(pem)
    if found is None:
        raise KeyUnusable(subject=_SUBJECT, check="the file is not one whole PEM block", remedy=_REMEDY)
    if found[1] not in _LABELS:
        check = f"the file holds {found[1].decode().lower()!r}, and no encrypted Sigstore private key"
        raise KeyUnusable(subject=_SUBJECT, check=check, remedy=_REMEDY)
    try:
        return read_json(base64.b64decode(re.sub(rb"\s+", b"", found[2]), validate=True), subject=_SUBJECT)
    except (binascii.Error, ContentLies, TooMuch) as error:
        raise _damaged() from error


def _parts(document: object) -> tuple[bytes, int, bytes, bytes]:
    """Salt, rounds, nonce and box."""
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
    memory = 128 * _R * rounds + (1 << 20)
    return hashlib.scrypt(pass_phrase, salt=salt, n=rounds, r=_R, p=_P, maxmem=memory, dklen=_KEY_BYTES)


def _octets(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _damaged() -> KeyUnusable:
    return KeyUnusable(subject=_SUBJECT, check="the file is damaged, or encrypted in a way that is not known")


_REMEDY = "`cosign import-key-pair --key FILE` encrypts a key that another program made"
