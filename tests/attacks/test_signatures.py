"""Every line of hostile input about signatures: a signature counts for exactly what was signed, by exactly whom."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.bundle import KeyHint, Message, SigningCertificate, SigstoreBundle, bundle_json, read_bundle
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.signers import IdentitySigner
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.signing.verify import verify_artifact, verify_bundle
from agent_sync_oci.trust import PinnedRoot, Policy, Revocation, Rule, evaluate
from tests.builders.signatures import (
    CI,
    DIGEST,
    NAME,
    Keyless,
    a_changed_root,
    a_key,
    a_key_signed_bundle,
    a_key_signer,
    a_keyless_bundle,
    a_keyless_message_bundle,
    a_statement,
    an_entry,
    an_envelope,
    with_field,
    with_parts,
)
from tests.real.sigstore_authority import certificate_der, now
from tests.real.sigstore_log import Json
from tests.real.sigstore_stack import SigstoreStack, serve_sigstore

_KEY, _OTHER = a_key(), a_key()
_SIGNER = a_key_signer(_KEY, "release")
_POLICY = Policy((Rule("**", 1, (_SIGNER,)),))


@pytest.fixture
def root(sigstore: SigstoreStack) -> TrustedRoot:
    return TrustedRoot.read(sigstore.trusted_root())


def _refused(bundle: bytes, *, root: TrustedRoot | None = None, why: str) -> None:
    with pytest.raises(InvalidSignature, match=why):
        verify_bundle(bundle, [_SIGNER, CI], root=root)


# -- what is signed --------------------------------------------------------------------------------------------------


def test_a_right_signature_of_another_digest_is_refused() -> None:
    other = a_key_signed_bundle(_KEY, a_statement(digest=Digest.of(b"an older index")))
    assert evaluate(_POLICY, NAME, DIGEST, [a_key_signed_bundle(_KEY)]).accepted
    assert not evaluate(_POLICY, NAME, DIGEST, [other]).accepted


def test_a_right_signature_of_another_name_is_refused() -> None:
    other = a_key_signed_bundle(_KEY, a_statement(name="registry.example.com/team/other"))
    assert not evaluate(_POLICY, NAME, DIGEST, [other]).accepted


@pytest.mark.parametrize("name", ["", NAME + "/", NAME.upper(), NAME + "\0", "*", "**", f"{NAME}:v1"])
def test_a_name_that_is_nearly_the_right_one_is_another(name: str) -> None:
    assert not evaluate(_POLICY, NAME, DIGEST, [a_key_signed_bundle(_KEY, a_statement(name=name))]).accepted


def test_the_digest_as_a_later_subject_does_not_count() -> None:
    """It is what a source bundle's content would be, and not the bundle."""
    statement = json.loads(a_statement())
    statement["subject"].reverse()
    assert not evaluate(_POLICY, NAME, DIGEST, [sign_with_key(json.dumps(statement).encode(), _KEY)]).accepted


@pytest.mark.parametrize(
    "kind", ["application/json", "", "application/vnd.in-toto+json ", "application/vnd.IN-toto+json"]
)
def test_a_right_signature_of_another_payload_type_is_refused(
    sigstore: SigstoreStack, root: TrustedRoot, kind: str
) -> None:
    envelope = an_envelope(_KEY, a_statement(), payload_type=kind)
    _refused(bundle_json(SigstoreBundle(KeyHint(_KEY.public.hint), envelope)), why="not an in-toto statement")
    _refused(a_keyless_bundle(sigstore, made=Keyless(payload_type=kind)), root=root, why="not an in-toto statement")


@pytest.mark.parametrize("kind", ["https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom", "sign"])
def test_a_right_signature_of_another_predicate_is_refused(
    sigstore: SigstoreStack, root: TrustedRoot, kind: str
) -> None:
    statement = a_statement(predicate_type=kind)
    _refused(a_key_signed_bundle(_KEY, statement), why="the statement is")
    _refused(a_keyless_bundle(sigstore, statement), root=root, why="the statement is")


def test_a_signature_over_the_statement_as_a_file_is_refused() -> None:
    """The same bytes, signed for another purpose."""
    statement = a_statement()
    message = Message(hashlib.sha256(statement).digest(), _KEY.sign(statement))
    _refused(bundle_json(SigstoreBundle(KeyHint(_KEY.public.hint), message)), why="bare bytes")


def test_a_signature_over_the_encoded_statement_as_a_file_is_no_envelope() -> None:
    """DSSE's encoding parts the two: what signs a file signs no envelope."""
    envelope = an_envelope(_KEY, a_statement())
    as_file = replace(envelope, signature=_KEY.sign(envelope.payload))
    _refused(bundle_json(SigstoreBundle(KeyHint(_KEY.public.hint), as_file)), why="not over this content")


def test_an_artifact_that_was_not_signed_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    bundle = a_keyless_message_bundle(sigstore, b"the artifact")
    other = hashlib.sha256(b"another").digest()
    for forged in (bundle, with_parts(bundle, content=replace(_message(bundle), sha256=other))):
        with pytest.raises(InvalidSignature):
            verify_artifact(forged, other.hex(), [CI], root=root)


def _message(bundle: bytes) -> Message:
    content = read_bundle(bundle).content
    assert isinstance(content, Message)
    return content


# -- who signed ------------------------------------------------------------------------------------------------------


def test_nobody_asked_for_means_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    for bundle in (a_key_signed_bundle(_KEY), a_keyless_bundle(sigstore)):
        with pytest.raises(InvalidSignature, match="no signer is named"):
            verify_bundle(bundle, [], root=root)
        with pytest.raises(InvalidSignature, match="no signer is named"):
            verify_artifact(bundle, DIGEST.hex, [], root=root)


def test_a_bundle_that_claims_a_key_which_did_not_sign_it_is_refused() -> None:
    claimed = with_parts(a_key_signed_bundle(_OTHER), verifier=KeyHint(_KEY.public.hint))
    _refused(claimed, why="another key")


@pytest.mark.parametrize(
    "asked",
    [
        "https://ci.example.test/team/agents/release.yml@refs/heads/mai",
        "https://ci.example.test/team/agents/release.yml@refs/heads/main2",
        "https://ci.example.test/team/agents/release.yml@refs/heads/*",
        "https://ci.example.test/team/agents/.*",
        "HTTPS://ci.example.test/team/agents/release.yml@refs/heads/main",
        "ci.example.test/team/agents/release.yml@refs/heads/main",
    ],
)
def test_an_identity_is_neither_a_prefix_nor_a_pattern(sigstore: SigstoreStack, root: TrustedRoot, asked: str) -> None:
    for bundle in (a_keyless_bundle(sigstore), a_keyless_bundle(sigstore, made=Keyless(rekor=1))):
        with pytest.raises(InvalidSignature, match="not among the required signers"):
            verify_bundle(bundle, [IdentitySigner(asked, CI.issuer)], root=root)


@pytest.mark.parametrize("issuer", ["https://issuer.example.test/", "https://issuer.example.tes", "https://evil.test"])
def test_the_same_identity_of_another_issuer_is_another(
    sigstore: SigstoreStack, root: TrustedRoot, issuer: str
) -> None:
    with pytest.raises(InvalidSignature, match="not among the required signers"):
        verify_bundle(a_keyless_bundle(sigstore), [IdentitySigner(CI.identity, issuer)], root=root)


def test_a_certificate_with_two_identities_is_neither(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    """It would count as two of k signers."""
    _refused(
        a_keyless_bundle(sigstore, made=Keyless(more_identities=("a@example.test",))), root=root, why="exactly one"
    )


def test_a_certificate_that_names_nobody_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    bundle = read_bundle(a_keyless_bundle(sigstore))
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    for identities, issuer in (([], CI.issuer), ([CI.identity], ""), ([""], CI.issuer)):
        certificate = sigstore.authority.issue(key, identities, issuer)
        named = replace(bundle, verifier=SigningCertificate(certificate_der(certificate)))
        _refused(bundle_json(named), root=root, why="certificate")


def test_a_certificate_of_somebody_else_does_not_fit_the_signature(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    victim = read_bundle(a_keyless_bundle(sigstore))
    mallory = IdentitySigner("mallory@example.test", CI.issuer)
    forged = with_parts(a_keyless_bundle(sigstore, made=Keyless(mallory)), verifier=victim.verifier)
    _refused(forged, root=root, why="does not hold")


def test_a_certificate_of_another_authority_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    with serve_sigstore() as elsewhere:
        foreign = a_keyless_bundle(elsewhere)
        own = read_bundle(a_keyless_bundle(sigstore))
        _refused(foreign, root=root, why="does not have its log")
        _refused(with_parts(foreign, entries=own.entries, time_stamps=()), root=root, why="does not hold")


def test_a_certificate_that_is_in_no_ct_log_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    _refused(a_keyless_bundle(sigstore, made=Keyless(in_ct_log=False)), root=root, why="signed certificate timestamp")


def test_a_certificate_that_had_expired_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    for rekor in (1, 2):
        made = Keyless(rekor=rekor, certified_at=now() - timedelta(minutes=30))
        _refused(a_keyless_bundle(sigstore, made=made), root=root, why="does not hold")


def test_a_certificate_that_was_not_yet_valid_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    made = Keyless(certified_at=now() + timedelta(minutes=5))
    _refused(a_keyless_bundle(sigstore, made=made), root=root, why="does not hold")


def test_a_certificate_bundle_does_not_pass_for_a_key() -> None:
    with pytest.raises(InvalidSignature):
        verify_bundle(with_parts(a_key_signed_bundle(_KEY), verifier=SigningCertificate(b"0")), [_SIGNER], root=None)


# -- who saw it ------------------------------------------------------------------------------------------------------


def test_a_keyless_signature_without_a_time_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    """Rekor 2 knows no time, so that a stolen key of an expired certificate could sign for ever."""
    _refused(a_keyless_bundle(sigstore, made=Keyless(stamped=False)), root=root, why="does not hold")


def test_a_keyless_signature_without_a_log_entry_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    _refused(with_parts(a_keyless_bundle(sigstore), entries=()), root=root, why="does not hold")


def test_a_keyless_signature_without_a_trusted_root_is_refused(sigstore: SigstoreStack) -> None:
    _refused(a_keyless_bundle(sigstore), why="no trusted root")


def test_a_key_signature_without_a_demanded_log_entry_is_refused(root: TrustedRoot) -> None:
    policy = Policy((Rule("**", 1, (_SIGNER,), transparency_log=True, root=root),))
    verdict = evaluate(policy, NAME, DIGEST, [a_key_signed_bundle(_KEY)])
    assert not verdict.accepted
    assert "in no transparency log" in verdict.refusals[0]


@pytest.mark.parametrize("rekor", [1, 2])
def test_the_log_entry_of_another_bundle_is_refused(sigstore: SigstoreStack, root: TrustedRoot, rekor: int) -> None:
    """CVE-2022-36056."""
    config = sigstore.trust_config(rekor=rekor)
    signed = [sign_with_key(a_statement(digest=Digest.of(each)), _KEY, trust_config=config) for each in (b"1", b"2")]
    keyless = [a_keyless_bundle(sigstore, made=Keyless(rekor=rekor)) for _ in range(2)]
    for one, other in (signed, keyless, (signed[0], keyless[0]), (keyless[0], signed[0])):
        _refused(with_parts(one, entries=read_bundle(other).entries), root=root, why=".")
    both = read_bundle(signed[0]).entries + read_bundle(signed[1]).entries
    _refused(with_parts(signed[0], entries=both), root=root, why="another signature")


def test_the_time_stamp_of_another_bundle_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    one, other = (read_bundle(a_keyless_bundle(sigstore)) for _ in range(2))
    _refused(bundle_json(replace(one, time_stamps=other.time_stamps)), root=root, why="time stamp")
    _refused(bundle_json(replace(one, time_stamps=one.time_stamps + other.time_stamps)), root=root, why="time stamp")
    _refused(bundle_json(replace(one, time_stamps=one.time_stamps * 2)), root=root, why="twice")


def test_a_log_entry_that_is_there_twice_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    bundle = sign_with_key(a_statement(), _KEY, trust_config=sigstore.trust_config())
    _refused(with_parts(bundle, entries=read_bundle(bundle).entries * 2), root=root, why="twice")


def test_a_log_that_the_root_does_not_know_counts_for_nothing(root: TrustedRoot) -> None:
    with serve_sigstore() as elsewhere:
        bundle = sign_with_key(a_statement(), _KEY, trust_config=elsewhere.trust_config())
    _refused(bundle, root=root, why="does not have its log")
    assert not verify_bundle(bundle, [_SIGNER], root=None).logged


def test_a_log_whose_key_was_not_valid_then_counts_for_nothing(sigstore: SigstoreStack) -> None:
    bundle = sign_with_key(a_statement(), _KEY, trust_config=sigstore.trust_config(rekor=1, stamped=False))

    def ended(document: Json) -> None:
        document["tlogs"][0]["publicKey"]["validFor"]["end"] = "2020-01-01T00:00:00.000000001Z"

    _refused(bundle, root=a_changed_root(sigstore, ended), why="not valid at that time")


def test_a_time_stamp_authority_that_had_ended_counts_for_nothing(sigstore: SigstoreStack) -> None:
    def ended(document: Json) -> None:
        document["timestampAuthorities"][0]["validFor"]["end"] = "2020-01-01T00:00:00Z"

    _refused(a_keyless_bundle(sigstore), root=a_changed_root(sigstore, ended), why="time stamp")


def test_an_entry_of_another_time_than_the_log_signed_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    bundle = a_keyless_bundle(sigstore, made=Keyless(rekor=1, stamped=False))
    for second in ("1", str(int(datetime.now(UTC).timestamp()) - 60), str(2**62)):
        moved = with_field(bundle, "verificationMaterial.tlogEntries.0.integratedTime", second)
        _refused(moved, root=root, why="not signed by the log")


def test_an_entry_of_the_right_log_that_nobody_signed_is_refused(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    """A proof that is right in itself, over a tree of the attacker's own."""
    bundle = sign_with_key(a_statement(), _KEY, trust_config=sigstore.trust_config())
    with serve_sigstore() as elsewhere:
        body = json.loads(read_bundle(bundle).entries[0].body)
        forged = replace(an_entry(elsewhere.rekor2.enter(body)), log_id=sigstore.rekor2.log_id)
    _refused(with_parts(bundle, entries=(forged,)), root=root, why="not signed by the log")


# -- policy ----------------------------------------------------------------------------------------------------------


def test_unsigned_where_signed_is_required_is_refused() -> None:
    for policy in (_POLICY, Policy(require_signed=True)):
        assert not evaluate(policy, NAME, DIGEST, []).accepted


def test_a_project_cannot_loosen_what_the_machine_demands(sigstore: SigstoreStack, root: TrustedRoot) -> None:
    machine = Policy((Rule("registry.example.com/**", 1, (_SIGNER,)),), (Revocation(str(DIGEST)),))
    project = Policy((Rule("**", 1, (a_key_signer(_OTHER), CI), root=root),))
    signed = [a_key_signed_bundle(_OTHER), a_keyless_bundle(sigstore)]
    for policy in (Policy.united(machine, project), Policy.united(project, machine)):
        verdict = evaluate(policy, NAME, DIGEST, signed)
        assert not verdict.accepted
        assert len(verdict.refusals) == 2  # the machine's rule, and its revocation


def test_an_old_bundle_that_is_validly_signed_and_revoked_is_refused() -> None:
    for digest in (str(DIGEST), "c" * 40):
        policy = Policy.united(_POLICY, Policy(revoked=(Revocation(digest, "leaked"),)))
        assert not evaluate(policy, NAME, DIGEST, [a_key_signed_bundle(_KEY)], also={"c" * 40}).accepted


def test_a_trusted_root_that_was_swapped_is_refused(sigstore: SigstoreStack) -> None:
    own = sigstore.trusted_root()
    pinned = hashlib.sha256(own).hexdigest()
    with serve_sigstore() as elsewhere:
        theirs = elsewhere.trusted_root()
        policy = Policy((Rule("**", 1, (CI,), root=PinnedRoot(pinned)),)).with_roots([theirs])
        assert not evaluate(policy, NAME, DIGEST, [a_keyless_bundle(elsewhere)]).accepted
    with pytest.raises(InvalidSignature, match="differs from the pinned"):
        TrustedRoot.read(theirs, pinned)
    assert TrustedRoot.read(own, pinned).sha256 == pinned
