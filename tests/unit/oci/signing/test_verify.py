"""What good signatures say."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.bundle import KeyHint, Message, SigstoreBundle, bundle_json, read_bundle
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.statement import (
    CYCLONEDX,
    SLSA_PROVENANCE,
    Material,
    Provenance,
    Subject,
    bill_of_materials_statement,
    provenance_statement,
    read_statement,
    statement_bytes,
)
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import (
    VerifiedArtifact,
    VerifiedSignature,
    claimed_signer,
    verify_artifact,
    verify_bundle,
)
from tests.builders.signatures import (
    CI,
    DIGEST,
    NAME,
    Keyless,
    a_key,
    a_key_signed_bundle,
    a_key_signer,
    a_keyless_bundle,
    a_keyless_message_bundle,
    a_statement,
    with_parts,
)
from tests.real.sigstore_stack import SigstoreStack

_ARTIFACT = b"an artifact"
_SHA256 = hashlib.sha256(_ARTIFACT).hexdigest()
_GENERATIONS = pytest.mark.parametrize(
    "made", [Keyless(rekor=1, stamped=False), Keyless(rekor=1), Keyless(rekor=2)], ids=["log 1", "log 1, stamped", "2"]
)


@pytest.fixture
def root(sigstore: SigstoreStack) -> TrustedRoot:
    return TrustedRoot.read(sigstore.trusted_root())


def test_a_key_says_what_it_signed() -> None:
    key = a_key()
    checked = verify_bundle(a_key_signed_bundle(key), [a_key_signer(a_key()), a_key_signer(key)], root=None)
    assert checked == VerifiedSignature(a_key_signer(key), read_statement(a_statement()), logged=False)
    assert checked.statement.subjects[0] == Subject(NAME, DIGEST.hex)


@pytest.mark.parametrize(("rekor", "stamped"), [(1, False), (1, True), (2, False), (2, True)])
def test_a_key_signature_that_is_logged_is_known_to_be(sigstore: SigstoreStack, rekor: int, stamped: bool) -> None:
    key = a_key()
    bundle = sign_with_key(a_statement(), key, trust_config=sigstore.trust_config(rekor=rekor, stamped=stamped))
    root = TrustedRoot.read(sigstore.trusted_root())
    assert verify_bundle(bundle, [a_key_signer(key)], root=root).logged
    assert len(read_bundle(bundle).time_stamps) == stamped


def test_without_a_root_a_log_entry_counts_for_nothing(sigstore: SigstoreStack) -> None:
    key = a_key()
    bundle = sign_with_key(a_statement(), key, trust_config=sigstore.trust_config())
    assert not verify_bundle(bundle, [a_key_signer(key)], root=None).logged


@_GENERATIONS
def test_an_identity_says_what_it_signed(sigstore: SigstoreStack, root: TrustedRoot, made: Keyless) -> None:
    checked = verify_bundle(a_keyless_bundle(sigstore, made=made), [CI], root=root)
    assert checked == VerifiedSignature(CI, read_statement(a_statement()), logged=True)


@_GENERATIONS
def test_an_identity_vouches_for_an_artifact(sigstore: SigstoreStack, root: TrustedRoot, made: Keyless) -> None:
    bundle = a_keyless_message_bundle(sigstore, _ARTIFACT, made)
    assert verify_artifact(bundle, _SHA256, [CI], root=root) == VerifiedArtifact(CI, None, logged=True)


def test_a_statement_vouches_for_each_of_its_subjects(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    bundle = a_keyless_bundle(sigstore, a_statement(predicate_type="https://example.com/any"))
    for sha256 in (DIGEST.hex, "ab" * 32):
        checked = verify_artifact(bundle, sha256, [CI], root=root)
        assert checked.statement is not None
        assert checked.statement.predicate_type == "https://example.com/any"
    with pytest.raises(InvalidSignature, match="no subject of the statement"):
        verify_artifact(bundle, _SHA256, [CI], root=root)


@pytest.mark.parametrize("hint", ["", "SHA256:as-another-program-has-it"])
def test_a_key_that_a_foreign_bundle_names_otherwise_is_found(hint: str) -> None:
    key = a_key()
    message = Message(hashlib.sha256(_ARTIFACT).digest(), key.sign(_ARTIFACT))
    bundle = bundle_json(SigstoreBundle(KeyHint(hint), message))
    asked = [a_key_signer(a_key()), a_key_signer(key)]
    assert verify_artifact(bundle, _SHA256, asked, root=None).signer == a_key_signer(key)
    with pytest.raises(InvalidSignature, match="not among the required signers"):
        verify_artifact(bundle, _SHA256, asked[:1], root=None)


def test_a_bundle_of_ours_must_name_its_key() -> None:
    key = a_key()
    nameless = with_parts(a_key_signed_bundle(key), verifier=KeyHint(""))
    with pytest.raises(InvalidSignature, match="not among the required signers"):
        verify_bundle(nameless, [a_key_signer(key)], root=None)


def test_a_bundle_that_omits_zeros_is_read_as_the_one_that_spells_them(sigstore: SigstoreStack) -> None:
    """ProtoJSON leaves it to the writer; Go omits them, JavaScript does not."""
    bundle = a_keyless_bundle(sigstore)
    document = json.loads(bundle)
    document["dsseEnvelope"]["signatures"][0]["keyid"] = ""
    document["messageSignature"] = None
    document["verificationMaterial"]["tlogEntries"][0] |= {"integratedTime": "0", "inclusionPromise": None}
    assert read_bundle(json.dumps(document).encode()) == read_bundle(bundle)
    key_signed = json.loads(a_key_signed_bundle(a_key()))
    terse = json.loads(json.dumps(key_signed))
    del terse["verificationMaterial"]["tlogEntries"]
    key_signed["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": []}
    assert read_bundle(json.dumps(terse).encode()) == read_bundle(json.dumps(key_signed).encode())


def test_the_first_entry_of_a_log_is_read_with_and_without_its_zero(sigstore: SigstoreStack) -> None:
    document = json.loads(a_keyless_bundle(sigstore))
    entry = document["verificationMaterial"]["tlogEntries"][0]
    entry["logIndex"] = entry["inclusionProof"]["logIndex"] = "0"
    spelt = read_bundle(json.dumps(document).encode())
    del entry["logIndex"], entry["inclusionProof"]["logIndex"]
    assert read_bundle(json.dumps(document).encode()) == spelt


def test_who_signed_is_told_without_belief(sigstore: SigstoreStack) -> None:
    key = a_key()
    assert claimed_signer(a_key_signed_bundle(key)) == f"key {key.public.hint}"
    assert claimed_signer(a_keyless_bundle(sigstore)) == f"{CI.identity} ({CI.issuer})"


def test_provenance_is_checked_as_what_it_is() -> None:
    key = a_key()
    made = Provenance(
        build_type="https://example.com/update/v1",
        builder="https://example.com/agent-sync",
        builder_version={"agent-sync": "1.0"},
        parameters={"sources": ["rules"]},
        materials=[Material("git+https://example.com/rules@refs/heads/main", {"gitCommit": "ab" * 20}, "rules")],
        invocation="https://ci.example.test/runs/1",
    )
    statement = provenance_statement((Subject(NAME, DIGEST.hex),), made)
    bundle = sign_with_key(statement_bytes(statement), key)
    checked = verify_bundle(bundle, [a_key_signer(key)], root=None, predicate_type=SLSA_PROVENANCE)
    assert checked.statement == statement
    assert statement.predicate["runDetails"] == {
        "builder": {"id": "https://example.com/agent-sync", "version": {"agent-sync": "1.0"}},
        "metadata": {"invocationId": "https://ci.example.test/runs/1"},
    }


def test_an_attestation_is_no_signature() -> None:
    key = a_key()
    bill = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'
    bundle = sign_with_key(statement_bytes(bill_of_materials_statement((Subject(NAME, DIGEST.hex),), bill)), key)
    checked = verify_bundle(bundle, [a_key_signer(key)], root=None, predicate_type=CYCLONEDX)
    assert checked.statement.predicate["specVersion"] == "1.6"
    with pytest.raises(InvalidSignature, match="cyclonedx"):
        verify_bundle(bundle, [a_key_signer(key)], root=None)


def test_nothing_heavy_is_loaded_before_something_is_signed_or_checked() -> None:
    """Performance: start-up."""
    modules = sorted(path.stem for path in (_PACKAGE / "signing").glob("*.py") if path.stem != "__init__")
    imports = "; ".join(f"import agent_sync_oci.signing.{name}" for name in modules)
    imports += "; import agent_sync_oci.trust, agent_sync_oci.trust"
    heavy = "{'cryptography', 'nacl', 'pydantic', 'requests', 'rfc3161_client', 'sigstore', 'sigstore_models'}"
    program = f"import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r}); {imports}; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


_PACKAGE = Path(__file__).resolve().parents[4] / "oci" / "agent_sync_oci"
