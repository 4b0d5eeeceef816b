"""What a binary cache says of a path."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_sync.errors import UsageError
from agent_sync.nix.narinfo import NarInfo, cache_info, signer
from agent_sync_oci.digest import Digest

NAR = Digest.of(b"nar")
PATH = "/nix/store/045xg1h3n0l4p2awjclcyzdn23ld0rbw-source"


def lines_of(info: NarInfo, **options: object) -> list[str]:
    return info.text(**options).decode().splitlines()  # type: ignore[arg-type]  # a signer


def test_a_tree_certifies_itself() -> None:
    info = NarInfo(PATH, NAR, 120)
    lines = lines_of(info)
    digest = lines[5].removeprefix("NarHash: ")
    assert info.file == "045xg1h3n0l4p2awjclcyzdn23ld0rbw.narinfo"
    assert lines == [
        f"StorePath: {PATH}",
        f"URL: blobs/sha256/{hashlib.sha256(b'nar').hexdigest()}",
        "Compression: none",
        f"FileHash: {digest}",
        "FileSize: 120",
        f"NarHash: {digest}",
        "NarSize: 120",
        "References: ",
        f"CA: fixed:r:{digest}",
    ]


def test_a_file_certifies_itself_by_its_own_bytes() -> None:
    flat = bytes.fromhex("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
    assert lines_of(NarInfo(PATH, NAR, 120, flat))[-1] == (
        "CA: fixed:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq"
    )


def test_what_is_signed_is_path_hash_length_and_references() -> None:
    info = NarInfo(PATH, NAR, 120)
    signed: list[bytes] = []

    def sign(fingerprint: bytes) -> str:
        signed.append(fingerprint)
        return "key:signature"

    lines = lines_of(info, sign=sign)
    assert "Sig: key:signature" in lines
    assert signed == [f"1;{PATH};{lines[5].removeprefix('NarHash: ')};120;".encode()]


def test_a_cache_says_whom_it_serves() -> None:
    assert cache_info("/elsewhere") == b"StoreDir: /elsewhere\nWantMassQuery: 1\nPriority: 50\n"


# -- Keys of binary caches: what is none is refused, and never repeated.

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
    with pytest.raises(UsageError, match="signing key") as refused:
        signer(secret)
    told = f"{refused.value.subject} {refused.value.check} {refused.value.remedy}"
    assert refused.value.__cause__ is None
    assert KEY.decode()[:8] not in told
    assert "base64 at all" not in told
