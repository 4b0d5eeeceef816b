"""Files that are no signature, no trusted root, or too much of one."""

from __future__ import annotations

import json

import pytest

from agent_sync_oci.errors import AgentSyncError, InvalidSignature, LimitExceeded
from agent_sync_oci.signing.bundle import KeyHint, SigningCertificate
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_bundle
from tests.builders.signatures import (
    CI,
    a_changed_root,
    a_key,
    a_key_signed_bundle,
    a_key_signer,
    a_keyless_bundle,
    a_keyless_message_bundle,
    a_statement,
    with_field,
    with_parts,
)
from tests.real.sigstore_log import Json
from tests.real.sigstore_stack import SigstoreStack

_KEY, _OTHER = a_key(), a_key()
_SIGNER = a_key_signer(_KEY, "release")


@pytest.fixture
def root(sigstore: SigstoreStack) -> TrustedRoot:
    return TrustedRoot.read(sigstore.trusted_root())


def _refused(bundle: bytes, *, root: TrustedRoot | None = None, why: str) -> None:
    with pytest.raises(InvalidSignature, match=why):
        verify_bundle(bundle, [_SIGNER, CI], root=root)


# -- trusted roots ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "mediaType": ""}',
        b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": [{}]}',
        b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": {}}',
        b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "timestampAuthorities": [{}]}',
    ],
)
def test_what_is_no_trusted_root_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidSignature):
        TrustedRoot.read(content)


@pytest.mark.parametrize("lost", ["tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"])
def test_a_root_that_lacks_what_a_keyless_signature_needs_is_refused(sigstore: SigstoreStack, lost: str) -> None:
    def lose(document: Json) -> None:
        document[lost] = []

    _refused(a_keyless_bundle(sigstore), root=a_changed_root(sigstore, lose), why=".")


def test_a_root_with_damaged_keys_is_refused(sigstore: SigstoreStack) -> None:
    def damage(document: Json) -> None:
        for each in document["tlogs"]:
            each["publicKey"]["rawBytes"] = "AAAA"

    _refused(a_keyless_bundle(sigstore), root=a_changed_root(sigstore, damage), why="damaged")


def test_a_root_with_damaged_certificates_is_refused(sigstore: SigstoreStack) -> None:
    def damage(document: Json) -> None:
        for each in document["timestampAuthorities"][0]["certChain"]["certificates"]:
            each["rawBytes"] = "AAAA"

    _refused(a_keyless_bundle(sigstore), root=a_changed_root(sigstore, damage), why="damaged")


# -- what is no bundle, or too much of one ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bundle",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"mediaType": 7}',
        b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}',
        b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json", "verificationMaterial": {}}',
        b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {}}}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": "\\ud800"}',
    ],
)
def test_what_is_no_bundle_is_refused(bundle: bytes) -> None:
    _refused(bundle, why="^signature: ")


def test_a_key_that_is_there_twice_is_refused() -> None:
    """Two readers could take two different values."""
    bundle = a_key_signed_bundle(_KEY)
    for twice in (b'{"mediaType":"",' + bundle[1:], bundle.replace(b'"hint":', b'"hint":"","hint":')):
        _refused(twice, why="twice")
    _refused(a_key_signed_bundle(_KEY, a_statement().replace(b'"subject":', b'"subject":[],"subject":')), why="twice")


@pytest.mark.parametrize("path", ["unknown", "verificationMaterial.unknown", "dsseEnvelope.unknown"])
def test_a_field_that_is_not_known_is_refused(path: str) -> None:
    _refused(with_field(a_key_signed_bundle(_KEY), path, "x"), why="not a known field")


def test_two_signatures_in_one_envelope_are_refused() -> None:
    document = json.loads(a_key_signed_bundle(_KEY))
    document["dsseEnvelope"]["signatures"] *= 2
    _refused(json.dumps(document).encode(), why="exactly one is required")


def test_two_kinds_of_signature_in_one_bundle_are_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    document = json.loads(a_key_signed_bundle(_KEY))
    document |= {"messageSignature": json.loads(a_keyless_message_bundle(sigstore, b"x"))["messageSignature"]}
    _refused(json.dumps(document).encode(), root=root, why="exactly one envelope")
    document = json.loads(a_keyless_bundle(sigstore))
    document["verificationMaterial"]["publicKey"] = {"hint": _KEY.public.hint}
    _refused(json.dumps(document).encode(), root=root, why="exactly one key or certificate")


def test_a_bundle_without_bounds_is_too_much(sigstore: SigstoreStack) -> None:
    document = json.loads(a_keyless_bundle(sigstore))
    entries = document["verificationMaterial"]["tlogEntries"]
    many = json.dumps(document | {"verificationMaterial": {"publicKey": {}, "tlogEntries": entries * 9}}).encode()
    deep = b'{"mediaType":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for bundle in (many, deep, b" " * (4 * 1024 * 1024 + 1)):
        with pytest.raises(LimitExceeded):
            verify_bundle(bundle, [_SIGNER], root=None)


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x80" * 5000, b"\x30\x84\xff\xff\xff\xff", bytes(100_000)])
def test_a_certificate_that_is_none_is_refused(sigstore: SigstoreStack, root: TrustedRoot, der: bytes) -> None:
    with pytest.raises(AgentSyncError):
        verify_bundle(with_parts(a_keyless_bundle(sigstore), verifier=SigningCertificate(der)), [CI], root=root)


@pytest.mark.parametrize("stamp", [b"", b"0", b"\x30\x80" * 5000, bytes(100_000)])
def test_a_time_stamp_that_is_none_is_refused(sigstore: SigstoreStack, root: TrustedRoot, stamp: bytes) -> None:
    with pytest.raises(AgentSyncError):
        verify_bundle(with_parts(a_keyless_bundle(sigstore), time_stamps=(stamp,)), [CI], root=root)


def test_a_terminal_is_not_written_to_by_foreign_text() -> None:
    """What a signature claims is shown escaped."""
    claimed = with_parts(a_key_signed_bundle(_OTHER), verifier=KeyHint("\x1b[2J"))
    with pytest.raises(InvalidSignature) as caught:
        verify_bundle(claimed, [_SIGNER], root=None)
    assert "\x1b" not in str(caught.value)
