"""Bundles that the public-good and staging instances of Sigstore made, checked offline (tests/golden/sigstore)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.signers import IdentitySigner
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import claimed_signer, verify_artifact, verify_bundle

_DIRECTORY = Path(__file__).resolve().parents[3] / "golden" / "sigstore"
_GITHUB = "https://github.com/login/oauth"
_ATTESTED = "732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4"

_GOOD = [
    ("attestation.public-good", "cody@soyland.com", _ATTESTED),
    ("blob-v0.2.public-good", "a@tny.town", "632579b5183d418ff3dc443994fd35e0e1a2a6ce89a1ee22fdca577f8e8bc9c3"),
    ("blob-log2-stamped.staging", "jku@goto.fi", "15f67246115921bb7c1de0e7e9e9275c8016dc254a0c009888944b7ed3644aaa"),
]


def _bundle(name: str) -> bytes:
    return (_DIRECTORY / f"{name}.json").read_bytes()


def _root(instance: str) -> TrustedRoot:
    return TrustedRoot.read((_DIRECTORY / f"trusted_root.{instance}.json").read_bytes())


@pytest.mark.parametrize(("name", "identity", "sha256"), _GOOD)
def test_it_vouches_for_its_artifact_and_for_no_other(name: str, identity: str, sha256: str) -> None:
    root, signer = _root(name.rpartition(".")[2]), IdentitySigner(identity, _GITHUB)
    checked = verify_artifact(_bundle(name), sha256, [signer], root=root)
    assert (checked.signer, checked.logged) == (signer, True)
    with pytest.raises(InvalidSignature):
        verify_artifact(_bundle(name), sha256[::-1], [signer], root=root)


@pytest.mark.parametrize(("name", "identity", "sha256"), _GOOD)
def test_another_identity_or_issuer_is_not_taken(name: str, identity: str, sha256: str) -> None:
    root = _root(name.rpartition(".")[2])
    for other in (IdentitySigner(identity[1:], _GITHUB), IdentitySigner(identity, _GITHUB + "/")):
        with pytest.raises(InvalidSignature, match="not among the required signers"):
            verify_artifact(_bundle(name), sha256, [other], root=root)


@pytest.mark.parametrize(("name", "identity", "sha256"), _GOOD)
def test_the_root_of_another_instance_does_not_believe_it(name: str, identity: str, sha256: str) -> None:
    other = {"public-good": "staging", "staging": "public-good"}[name.rpartition(".")[2]]
    with pytest.raises(InvalidSignature, match="does not have its log"):
        verify_artifact(_bundle(name), sha256, [IdentitySigner(identity, _GITHUB)], root=_root(other))


def test_what_cosign_attested_is_read() -> None:
    kind = "https://cosign.sigstore.dev/attestation/v1"
    signer = IdentitySigner("cody@soyland.com", _GITHUB)
    checked = verify_bundle(_bundle(_GOOD[0][0]), [signer], root=_root("public-good"), predicate_type=kind)
    assert checked.statement.subjects[0].sha256 == _ATTESTED
    assert checked.statement.predicate["Data"] == '{"foo": "bar"}\n'


def test_a_proof_without_checkpoint_is_refused() -> None:
    """Clients of 2024 and before made such bundles; the log has to be asked, and nothing here asks."""
    with pytest.raises(InvalidSignature, match="checkpoint is missing"):
        claimed_signer(_bundle("blob-v0.1.public-good"))
