"""Keys of binary caches: what is none is refused, and never repeated."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_sync.errors import UsageWrong
from agent_sync.nix.signing import signer

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
KEY = b64encode(bytes(range(32)) + PUBLIC)


@pytest.mark.parametrize("around", [b"%s", b"%s\n", b"  %s  "])
def test_a_signature_bears_the_name_of_its_key_and_verifies(around: bytes) -> None:
    name, _, signature = signer(around % (b"cache.example.com-1:" + KEY))(b"fingerprint").partition(":")
    assert name == "cache.example.com-1"
    PRIVATE.public_key().verify(b64decode(signature), b"fingerprint")


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        KEY,
        b":" + KEY,
        b"two words:" + KEY,
        b"name:" + KEY[:-4],
        b"name:not base64 at all",
        b"name:" + b64encode(bytes(range(32))),
        b"name:" + b64encode(bytes(64)),
        b"name:\xff",
        b"-----BEGIN PRIVATE KEY-----\n" + KEY,
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(secret: bytes) -> None:
    with pytest.raises(UsageWrong, match="the key to sign with") as refused:
        signer(secret)
    told = f"{refused.value.subject} {refused.value.check} {refused.value.remedy}"
    assert refused.value.__cause__ is None
    assert KEY.decode()[:8] not in told
    assert "base64 at all" not in told
