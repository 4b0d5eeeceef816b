"""`cosign` takes what we make, and we take what it makes: keys, signatures, attestations, keyless ones too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.keys import PrivateKey, generate, load_private, load_public
from agent_sync_oci.signing.sign import sign_keyless, sign_with_key
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner
from agent_sync_oci.signing.statement import (
    COSIGN_SIGN,
    SLSA_PROVENANCE,
    Material,
    Provenance,
    Statement,
    Subject,
    bill_of_materials_statement,
    provenance_statement,
    statement_bytes,
)
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import VerifiedArtifact, verify_artifact, verify_bundle
from tests.real.cosign import PASS_PHRASE, Cosign
from tests.real.sigstore_stack import SigstoreStack

_ARTIFACT = b"an artifact"
_SHA256 = hashlib.sha256(_ARTIFACT).hexdigest()
_SUBJECTS = (Subject("artifact", _SHA256),)
_WENT_IN = (Material("git+https://example.test/a", {"gitCommit": "ab" * 20}),)
_CI = IdentitySigner("ci@example.test", "https://issuer.example.test")
_AS_CI = ("--certificate-identity", _CI.identity, "--certificate-oidc-issuer", _CI.issuer)
_NO_SERVICES = b'{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}'

_STATEMENTS = {
    "slsaprovenance1": provenance_statement(
        _SUBJECTS,
        Provenance(
            "https://example.test/update/v1", "https://example.test/tool", {"tool": "1"}, {"source": "a"}, _WENT_IN
        ),
    ),
    "cyclonedx": bill_of_materials_statement(_SUBJECTS, b'{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}'),
    COSIGN_SIGN: Statement(_SUBJECTS, COSIGN_SIGN),
}
_EACH_STATEMENT = pytest.mark.parametrize("kind", _STATEMENTS)
_EACH_LOG = pytest.mark.parametrize("rekor", [1, 2])


@pytest.fixture
def files(cosign: Cosign, sigstore: SigstoreStack) -> Cosign:
    """`cosign` beside an artifact, the trusted root, and services with each kind of log."""
    cosign.write("artifact", _ARTIFACT)
    cosign.write("root.json", sigstore.trusted_root())
    cosign.write("token", sigstore.token(_CI.identity, _CI.issuer).encode())
    cosign.write("services-0.json", _NO_SERVICES)
    for rekor in (1, 2):
        cosign.write(f"services-{rekor}.json", sigstore.signing_config(rekor=rekor, stamped=rekor == 2))
    return cosign


@pytest.fixture
def root(sigstore: SigstoreStack) -> TrustedRoot:
    return TrustedRoot.read(sigstore.trusted_root())


def _our_key(files: Cosign) -> PrivateKey:
    """A key of ours, in the files `key.key` and `key.pub`."""
    pair = generate(PASS_PHRASE)
    files.write("key.key", pair.private_pem)
    files.write("key.pub", pair.public_pem)
    return load_private(pair.private_pem, lambda: PASS_PHRASE)


def _makes(files: Cosign, verb: str, rekor: int, *words: str) -> bytes:
    """The bundle that `cosign sign-blob` or `attest-blob` makes."""
    services = ("--signing-config", f"services-{rekor}.json", "--trusted-root", "root.json")
    files.run(verb, *words, *services, "--bundle", "bundle.json", "--yes", "artifact")
    return files.read("bundle.json")


# -- keys ------------------------------------------------------------------------------------------------------------


def test_cosign_opens_our_key(cosign: Cosign) -> None:
    pair = generate(PASS_PHRASE)
    cosign.write("key.key", pair.private_pem)
    assert cosign.run("public-key", "--key", "key.key").encode() == pair.public_pem


def test_we_open_the_key_of_cosign(cosign: Cosign) -> None:
    cosign.run("generate-key-pair", "--output-key-prefix", "theirs")
    key = load_private(cosign.read("theirs.key"), lambda: PASS_PHRASE)
    assert key.public == load_public(cosign.read("theirs.pub"))


# -- what cosign makes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rekor", [0, 1, 2])
def test_we_take_what_cosign_signs_with_our_key(files: Cosign, root: TrustedRoot, rekor: int) -> None:
    signer = KeySigner(_our_key(files).public)
    bundle = _makes(files, "sign-blob", rekor, "--key", "key.key")
    assert verify_artifact(bundle, _SHA256, [signer], root=root) == VerifiedArtifact(signer, None, logged=rekor > 0)
    with pytest.raises(InvalidSignature):
        verify_artifact(bundle, _SHA256[::-1], [signer], root=root)


@_EACH_LOG
def test_we_take_what_cosign_signs_without_a_key(files: Cosign, root: TrustedRoot, rekor: int) -> None:
    bundle = _makes(files, "sign-blob", rekor, "--identity-token", "token")
    assert verify_artifact(bundle, _SHA256, [_CI], root=root) == VerifiedArtifact(_CI, None, logged=True)


@pytest.mark.parametrize("rekor", [0, 1, 2])
def test_we_take_what_cosign_attests(files: Cosign, root: TrustedRoot, rekor: int) -> None:
    signer = KeySigner(_our_key(files).public)
    predicate = dict(_STATEMENTS["slsaprovenance1"].predicate)
    files.write("predicate.json", json.dumps(predicate).encode())
    words = ("--key", "key.key", "--predicate", "predicate.json", "--type", "slsaprovenance1")
    bundle = _makes(files, "attest-blob", rekor, *words)
    checked = verify_bundle(bundle, [signer], root=root, predicate_type=SLSA_PROVENANCE)
    assert checked.statement == Statement(_SUBJECTS, SLSA_PROVENANCE, predicate)
    assert checked.logged is (rekor > 0)


@_EACH_LOG
def test_we_take_what_cosign_attests_without_a_key(files: Cosign, root: TrustedRoot, rekor: int) -> None:
    files.write("predicate.json", b"{}")
    words = ("--identity-token", "token", "--predicate", "predicate.json", "--type", "https://example.test/any")
    bundle = _makes(files, "attest-blob", rekor, *words)
    assert verify_bundle(bundle, [_CI], root=root, predicate_type="https://example.test/any").logged


# -- what we make ----------------------------------------------------------------------------------------------------


def _takes(files: Cosign, bundle: bytes, kind: str, *words: str, ask: Callable[..., str] | None = None) -> str:
    """What `cosign verify-blob-attestation` says."""
    files.write("ours.json", bundle)
    given = ("--trusted-root", "root.json", "--bundle", "ours.json", "--type", kind)
    return (ask or files.run)("verify-blob-attestation", *words, *given, "artifact")


@_EACH_STATEMENT
def test_cosign_takes_what_a_key_signs(files: Cosign, kind: str) -> None:
    bundle = sign_with_key(statement_bytes(_STATEMENTS[kind]), _our_key(files))
    words = ("--key", "key.pub", "--insecure-ignore-tlog")
    assert "Verified OK" in _takes(files, bundle, kind, *words)
    files.write("artifact", b"another artifact")
    _takes(files, bundle, kind, *words, ask=files.refuses)


@_EACH_LOG
@_EACH_STATEMENT
def test_cosign_takes_what_a_key_signs_into_a_log(
    files: Cosign, sigstore: SigstoreStack, kind: str, rekor: int
) -> None:
    config = sigstore.trust_config(rekor=rekor, stamped=rekor == 2)
    bundle = sign_with_key(statement_bytes(_STATEMENTS[kind]), _our_key(files), trust_config=config)
    stamped = ("--use-signed-timestamps",) if rekor == 2 else ()
    assert "Verified OK" in _takes(files, bundle, kind, "--key", "key.pub", *stamped)


@_EACH_LOG
@_EACH_STATEMENT
def test_cosign_takes_what_an_identity_signs(files: Cosign, sigstore: SigstoreStack, kind: str, rekor: int) -> None:
    config = sigstore.trust_config(rekor=rekor, stamped=rekor == 2)
    token = sigstore.token(_CI.identity, _CI.issuer)
    bundle = sign_keyless(statement_bytes(_STATEMENTS[kind]), token, config)
    stamped = ("--use-signed-timestamps",) if rekor == 2 else ()
    assert "Verified OK" in _takes(files, bundle, kind, *_AS_CI, *stamped)
    other = ("--certificate-identity", "other@example.test", "--certificate-oidc-issuer", _CI.issuer)
    _takes(files, bundle, kind, *other, *stamped, ask=files.refuses)
