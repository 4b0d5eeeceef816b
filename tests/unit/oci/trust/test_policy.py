"""Policies as values: what makes no sense cannot be made, and what is added only tightens."""

from __future__ import annotations

import hashlib

import pytest

from agent_sync_oci.errors import InvalidSignature
from agent_sync_oci.signing.signers import IdentitySigner, KeySigner
from agent_sync_oci.trust import PinnedRoot, Policy, Revocation, Rule
from tests.builders.signatures import CI, a_key, a_key_signer

_ALICE, _BOB = a_key_signer(a_key(), "alice"), a_key_signer(a_key(), "bob")
_EMPTY_ROOT = b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
_PIN = PinnedRoot(hashlib.sha256(_EMPTY_ROOT).hexdigest())


def test_a_rule_without_a_signer_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="needs a signer"):
        Rule("**", 1, ())


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_a_threshold_that_nothing_or_anything_meets_cannot_be_made(threshold: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Rule("**", threshold, (_ALICE, _BOB))


def test_one_signer_under_two_labels_is_one_signer() -> None:
    again = KeySigner(_ALICE.public_key, "alice at home")
    assert again == _ALICE
    with pytest.raises(ValueError, match="threshold"):
        Rule("**", 2, (_ALICE, again))


def test_a_rule_without_a_pattern_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="pattern"):
        Rule("", 1, (_ALICE,))


def test_an_identity_needs_a_trusted_root() -> None:
    with pytest.raises(ValueError, match="trusted root"):
        Rule("**", 1, (CI,))


def test_a_log_needs_a_trusted_root() -> None:
    with pytest.raises(ValueError, match="trusted root"):
        Rule("**", 1, (_ALICE,), transparency_log=True)


@pytest.mark.parametrize(("identity", "issuer"), [("", "https://issuer"), ("a@example.test", "")])
def test_an_identity_without_issuer_cannot_be_made(identity: str, issuer: str) -> None:
    """Hostile input: any issuer may call anybody anything."""
    with pytest.raises(ValueError, match="issuer"):
        IdentitySigner(identity, issuer)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:" + "A" * 64, "abc", "a" * 39, "sha512:" + "a" * 64, "*"])
def test_a_revocation_that_would_revoke_nothing_cannot_be_made(digest: str) -> None:
    with pytest.raises(ValueError, match="revocation"):
        Revocation(digest)


def test_a_root_is_pinned_by_a_whole_digest() -> None:
    with pytest.raises(ValueError, match="64"):
        PinnedRoot("ab")


def test_policies_add_up() -> None:
    rules = Rule("a/**", 1, (_ALICE,)), Rule("**", 1, (_BOB,))
    revoked = Revocation("sha256:" + "a" * 64, "leaked"), Revocation("b" * 40)
    machine = Policy((rules[0],), (revoked[0],))
    project = Policy((rules[1], rules[0]), (revoked[1],), require_signed=True)
    united = Policy.united(machine, project)
    assert (united.rules, united.revoked, united.require_signed) == (rules, revoked, True)
    assert Policy.united(united, machine, project) == united
    assert Policy.united() == Policy()


def test_what_one_policy_leaves_open_no_other_lets_in() -> None:
    """A machine with rules refuses every other name; a project's rule for that name does not change it."""
    machine, project = Policy((Rule("acme/*", 1, (_ALICE,)),)), Policy((Rule("**", 1, (_BOB,)),))
    assert machine.leaves_open("evil/x")
    assert not project.leaves_open("evil/x")
    for united in (Policy.united(machine, project), Policy.united(project, Policy.united(machine))):
        assert united.leaves_open("evil/x")
        assert not united.leaves_open("acme/x")


def test_a_pinned_root_is_filled_in_from_what_comes_with_a_bundle() -> None:
    policy = Policy((Rule("**", 1, (CI,), root=_PIN), Rule("a", 1, (_ALICE,))))
    assert policy.pinned_roots == {_PIN.sha256}
    filled = policy.with_roots([b"something else, which nobody reads", _EMPTY_ROOT])
    assert filled.pinned_roots == frozenset()
    assert [getattr(rule.root, "content", None) for rule in filled.rules] == [_EMPTY_ROOT, None]


def test_a_root_that_nobody_pinned_is_not_taken() -> None:
    policy = Policy((Rule("**", 1, (CI,), root=_PIN),))
    assert policy.with_roots([_EMPTY_ROOT + b" "]) == policy


def test_what_is_pinned_must_be_a_trusted_root() -> None:
    pin = PinnedRoot(hashlib.sha256(b"[]").hexdigest())
    with pytest.raises(InvalidSignature, match="trusted root"):
        Policy((Rule("**", 1, (CI,), root=pin),)).with_roots([b"[]"])
