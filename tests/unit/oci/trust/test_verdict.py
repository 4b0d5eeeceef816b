"""Judging a bundle: k of n signers, rule by rule, with reasons."""

from __future__ import annotations

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.signing.keys import PrivateKey
from agent_sync_oci.signing.signers import KeySigner
from agent_sync_oci.signing.trusted_root import TrustedRoot
from agent_sync_oci.trust import PinnedRoot, Policy, Revocation, Rule, Verdict, evaluate
from tests.builders.signatures import (
    CI,
    DIGEST,
    NAME,
    a_key,
    a_key_signed_bundle,
    a_key_signer,
    a_keyless_bundle,
    a_statement,
)
from tests.real.sigstore_stack import SigstoreStack

_ALICE, _BOB, _MALLORY = a_key(), a_key(), a_key()


def _signer(key: PrivateKey) -> KeySigner:
    return a_key_signer(key, {_ALICE: "alice", _BOB: "bob"}.get(key, ""))


def _signed_by(*keys: PrivateKey) -> list[bytes]:
    return [a_key_signed_bundle(key) for key in keys]


def _judged(policy: Policy, *signatures: bytes, name: str = NAME, also: tuple[str, ...] = ()) -> Verdict:
    return evaluate(policy, name, DIGEST, signatures, also)


def _one_of(*keys: PrivateKey, bundle: str = "registry.example.com/team/*", threshold: int = 1) -> Rule:
    return Rule(bundle, threshold, tuple(map(_signer, keys)))


def test_without_a_demand_an_unsigned_bundle_is_accepted_and_not_called_signed() -> None:
    verdict = _judged(Policy())
    assert (verdict.accepted, verdict.signed, verdict.rules) == (True, False, ())


def test_a_bundle_that_one_of_the_signers_has_signed_is_accepted() -> None:
    verdict = _judged(Policy((_one_of(_ALICE, _BOB),)), *_signed_by(_BOB))
    assert verdict.accepted
    assert verdict.signed
    assert [checked.signer for checked in verdict.checked] == [_signer(_BOB)]
    assert str(verdict.rules[0]) == 'rule "registry.example.com/team/*": 1 of 1 signatures'


def test_unsigned_where_signed_is_demanded_is_refused() -> None:
    verdict = _judged(Policy((_one_of(_ALICE),)))
    assert verdict.refusals == ('rule "registry.example.com/team/*": 0 of 1 signatures; missing: alice',)


def test_several_signatures_of_one_signer_count_once() -> None:
    policy = Policy((_one_of(_ALICE, _BOB, threshold=2),))
    assert not _judged(policy, *_signed_by(_ALICE, _ALICE, _ALICE)).accepted
    assert _judged(policy, *_signed_by(_ALICE, _BOB)).accepted


def test_every_rule_about_the_name_must_be_satisfied() -> None:
    policy = Policy((_one_of(_ALICE), _one_of(_BOB, bundle="**")))
    verdict = _judged(policy, *_signed_by(_ALICE))
    assert [each.satisfied for each in verdict.rules] == [True, False]
    assert "is not a signer of this rule" in verdict.refusals[0]
    assert _judged(policy, *_signed_by(_ALICE, _BOB)).accepted


def test_a_rule_about_other_names_says_nothing_and_no_rule_is_a_refusal() -> None:
    policy = Policy((_one_of(_ALICE, bundle="elsewhere/*"),))
    verdict = _judged(policy, *_signed_by(_ALICE))
    assert (verdict.accepted, verdict.rules) == (False, ())
    assert "no rule applies to the name" in verdict.refusals[0]


def test_where_signatures_are_required_no_rule_is_a_refusal() -> None:
    assert not _judged(Policy(require_signed=True), *_signed_by(_ALICE)).accepted


def test_a_signature_by_nobody_who_was_asked_does_no_harm() -> None:
    policy = Policy((_one_of(_ALICE),))
    verdict = _judged(policy, b"garbage", *_signed_by(_MALLORY, _ALICE), b"\xff" * 9_000_000)
    assert verdict.accepted
    assert len(verdict.rules[0].passed_over) == 3


def test_the_statement_must_be_for_exactly_this_name() -> None:
    policy = Policy((_one_of(_ALICE, bundle="**"),))
    elsewhere = a_key_signed_bundle(_ALICE, a_statement(name=NAME + "-old"))
    verdict = _judged(policy, elsewhere)
    assert not verdict.accepted
    assert f'is for the name "{NAME}-old"' in verdict.refusals[0]
    assert _judged(policy, elsewhere, name=NAME + "-old").accepted


def test_the_statement_must_be_for_exactly_this_digest() -> None:
    other = Digest.of(b"another index")
    verdict = _judged(Policy((_one_of(_ALICE),)), a_key_signed_bundle(_ALICE, a_statement(digest=other)))
    assert not verdict.accepted
    assert f"is for {other}" in verdict.refusals[0]


def test_a_statement_without_a_name_is_for_the_name_that_the_bundle_itself_has() -> None:
    """What `cosign sign` makes: whoever signs the digest has signed the name inside."""
    policy, nameless = Policy((_one_of(_ALICE),)), a_key_signed_bundle(_ALICE, a_statement(name=""))
    assert evaluate(policy, NAME, DIGEST, [nameless], own_name=NAME).accepted
    for own_name in (None, "", NAME + "-old"):
        assert not evaluate(policy, NAME, DIGEST, [nameless], own_name=own_name).accepted
    named = a_key_signed_bundle(_ALICE, a_statement(name=NAME + "-old"))
    assert not evaluate(policy, NAME, DIGEST, [named], own_name=NAME).accepted


@pytest.mark.parametrize("digest", [str(DIGEST), DIGEST.hex, "sha256:" + "ab" * 32, "c" * 40])
def test_what_is_revoked_is_refused_however_well_it_is_signed(digest: str) -> None:
    policy = Policy((_one_of(_ALICE),), (Revocation(digest, "a leaked token"),))
    verdict = _judged(policy, *_signed_by(_ALICE), also=("sha256:" + "ab" * 32, "c" * 40))
    assert not verdict.accepted
    assert verdict.signed
    assert verdict.refusals == (f'{digest} is revoked: "a leaked token"',)


def test_what_is_revoked_is_refused_unsigned_too() -> None:
    assert not _judged(Policy(revoked=(Revocation(str(DIGEST)),))).accepted


def test_a_rule_whose_root_is_not_here_says_so() -> None:
    pin = PinnedRoot("ab" * 32)
    verdict = _judged(Policy((Rule("**", 1, (CI,), root=pin),)), *_signed_by(_ALICE))
    assert f"sha256:{pin.sha256}, is missing" in verdict.refusals[0]


def test_a_demanded_log_entry_counts_only_if_it_is_there(sigstore: SigstoreStack) -> None:
    root = TrustedRoot.read(sigstore.trusted_root())
    policy = Policy((Rule("**", 1, (_signer(_ALICE),), transparency_log=True, root=root),))
    verdict = _judged(policy, *_signed_by(_ALICE))
    assert not verdict.accepted
    assert "in no transparency log" in verdict.refusals[0]


def test_a_key_and_an_identity_are_two_signers(sigstore: SigstoreStack) -> None:
    root = TrustedRoot.read(sigstore.trusted_root())
    policy = Policy((Rule("**", 2, (_signer(_ALICE), CI), root=root),))
    keyless = a_keyless_bundle(sigstore)
    assert _judged(policy, keyless, *_signed_by(_ALICE)).accepted
    assert not _judged(policy, keyless, a_keyless_bundle(sigstore)).accepted


def test_a_root_of_one_rule_does_not_serve_another(sigstore: SigstoreStack) -> None:
    """Hostile input: a project's policy brings its own root; the machine's rule does not believe it."""
    theirs = TrustedRoot.read(sigstore.trusted_root())
    own = TrustedRoot.read(b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    policy = Policy.united(Policy((Rule("**", 1, (CI,), root=own),)), Policy((Rule("**", 1, (CI,), root=theirs),)))
    verdict = _judged(policy, a_keyless_bundle(sigstore))
    assert [each.satisfied for each in verdict.rules] == [False, True]
    assert not verdict.accepted
