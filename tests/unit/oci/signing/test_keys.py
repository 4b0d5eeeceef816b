"""Keys in cosign's files."""

from __future__ import annotations

import base64
import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from agent_sync_oci.errors import UnusableKey
from agent_sync_oci.signing.keys import generate, load_private, load_public, seal, unseal
from tests.real.sigstore_log import Json

_PASS_PHRASE = b"correct horse"


def _never_asked() -> bytes:
    raise AssertionError("the pass phrase was asked for")


def _document(pem: bytes) -> Json:
    document: Json = json.loads(base64.b64decode(b"".join(pem.splitlines()[1:-1])))
    return document


def _spelt(document: object, label: bytes = b"ENCRYPTED SIGSTORE PRIVATE KEY") -> bytes:
    body = base64.b64encode(json.dumps(document).encode())
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, body, label)


def test_what_the_private_half_signs_the_public_half_knows() -> None:
    pair = generate(_PASS_PHRASE)
    private, public = load_private(pair.private_pem, lambda: _PASS_PHRASE), load_public(pair.public_pem)
    signature = private.sign(b"content")
    assert private.public == public
    assert public.has_signed(signature, b"content")
    assert not public.has_signed(signature, b"other content")
    assert not load_public(generate(b"").public_pem).has_signed(signature, b"content")


def test_the_file_is_spelt_as_cosign_spells_it() -> None:
    pem = generate(_PASS_PHRASE).private_pem
    document = _document(pem)
    assert pem.startswith(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    assert document["kdf"]["name"] == "scrypt"
    assert document["kdf"]["params"] == {"N": 65536, "r": 8, "p": 1}
    assert document["cipher"]["name"] == "nacl/secretbox"
    assert max(map(len, pem.splitlines())) <= 64


def test_neither_a_key_nor_a_pair_shows_the_secret() -> None:
    pair = generate(_PASS_PHRASE)
    private = load_private(pair.private_pem, lambda: _PASS_PHRASE)
    assert "PRIVATE" not in repr(pair)
    assert re.search("0x|object|private", repr(private)) is None


def test_two_keys_under_one_pass_phrase_share_neither_salt_nor_nonce() -> None:
    one, other = _document(seal(b"secret", _PASS_PHRASE)), _document(seal(b"secret", _PASS_PHRASE))
    assert one["kdf"]["salt"] != other["kdf"]["salt"]
    assert one["cipher"]["nonce"] != other["cipher"]["nonce"]


def test_a_wrong_pass_phrase_is_said_to_be_wrong() -> None:
    with pytest.raises(UnusableKey, match="wrong pass phrase"):
        load_private(generate(_PASS_PHRASE).private_pem, lambda: b"wrong")


@pytest.mark.parametrize("rounds", [1 << 15, 1 << 17])
def test_the_other_settings_that_cosign_knows_are_read(rounds: int) -> None:
    document = _document(seal(b"secret", _PASS_PHRASE))
    document["kdf"]["params"]["N"] = rounds
    with pytest.raises(UnusableKey, match="pass phrase"):  # read, and stretched to another key
        unseal(_spelt(document), lambda: _PASS_PHRASE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kdf.name", "bcrypt"),
        ("kdf.params.N", 1 << 30),  # 1 TiB of memory
        ("kdf.params.r", 1 << 20),
        ("kdf.params.p", -1),
        ("kdf.params.N", "65536"),
        ("kdf.salt", "AAAA"),
        ("kdf.salt", "not base64!"),
        ("cipher.name", "aes"),
        ("cipher.nonce", ""),
        ("ciphertext", "%"),
        ("ciphertext", None),
    ],
)
def test_a_damaged_file_is_refused_before_the_pass_phrase_is_asked_for(path: str, value: object) -> None:
    document = _document(seal(b"secret", _PASS_PHRASE))
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(UnusableKey, match="damaged"):
        unseal(_spelt(document), _never_asked)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\xff" * 100,
        b"A" * 100_000,
        b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        b"-----BEGIN " + b"A" * 10_000,
        b"-----BEGIN A-----\n" + b" " * 16_000,
        _spelt([]) + _spelt([]),
        _spelt({}),
        _spelt([[]]),
        _spelt({}, b"EC PRIVATE KEY"),
        _spelt({"kdf": {"name": "scrypt"}}),
        _spelt(None).replace(b"bnVsbA==", b"=+="),
    ],
)
def test_what_is_no_key_file_is_refused_before_the_pass_phrase_is_asked_for(file: bytes) -> None:
    with pytest.raises(UnusableKey):
        load_private(file, _never_asked)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_of_another_kind_is_refused(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UnusableKey, match="P-256"):
        load_private(seal(secret, b""), lambda: b"")
    with pytest.raises(UnusableKey, match="P-256"):
        load_public(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_what_is_encrypted_must_be_a_key() -> None:
    with pytest.raises(UnusableKey, match="something other than a key"):
        load_private(seal(b"not DER", b""), lambda: b"")


@pytest.mark.parametrize("file", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\0" * 99_999])
def test_what_is_no_public_key_is_refused(file: bytes) -> None:
    with pytest.raises(UnusableKey):
        load_public(file)


def test_two_public_keys_in_one_file_are_none() -> None:
    pem = generate(b"").public_pem
    with pytest.raises(UnusableKey, match="a single PEM block"):
        load_public(pem + pem)


def test_a_private_key_is_no_public_key() -> None:
    with pytest.raises(UnusableKey):
        load_public(generate(b"").private_pem)
