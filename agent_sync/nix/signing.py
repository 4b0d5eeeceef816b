"""Signing what a binary cache says of a path, with a key of `nix key generate-secret`: a name, and 64 bytes in
base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from agent_sync.errors import UsageWrong
from agent_sync.nix.narinfo import Sign

_SEED_BYTES = 32


def signer(secret: bytes) -> Sign:
    """What signs with the key in the text `secret`. No message tells anything of it.

    Raises: UsageWrong if it is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    name, key = _parted(secret)
    private = Ed25519PrivateKey.from_private_bytes(key[:_SEED_BYTES])
    if private.public_key().public_bytes_raw() != key[_SEED_BYTES:]:
        raise _no_key("its two halves do not belong together")
    return lambda fingerprint: f"{name}:{b64encode(private.sign(fingerprint)).decode()}"


def _parted(secret: bytes) -> tuple[str, bytes]:
    try:
        name, _, encoded = secret.decode("ascii").strip().partition(":")
        key = b64decode(encoded, validate=True)
    except ValueError:  # from None: the text is the key
        raise _no_key("it is not a name, a colon and base64") from None
    if not name or any(character.isspace() for character in name) or len(key) != 2 * _SEED_BYTES:
        raise _no_key("it is not a name, a colon and 64 bytes in base64")
    return name, key


def _no_key(check: str) -> UsageWrong:
    return UsageWrong(
        subject="the key to sign with",
        check=check,
        remedy="make one: nix key generate-secret --key-name example.com-1",
    )
