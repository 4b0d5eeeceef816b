"""Who must vouch for a bundle and its lock: rules, names, thresholds, revocations, signers that change."""

from __future__ import annotations

import pytest

from agent_sync.errors import ConfigInvalid, Untrusted, UsageError
from agent_sync.operations.bundle import RequiredSigner
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, SIGSTORE_BUNDLE, Descriptor, Manifest
from agent_sync_oci.reference import parse_reference
from agent_sync_oci.signing.keys import PrivateKey
from agent_sync_oci.signing.sign import sign_with_key
from agent_sync_oci.signing.statement import COSIGN_SIGN, Statement, Subject, statement_bytes
from tests.builders.bundles import (
    NAME,
    POLICY,
    V1,
    a_receiver,
    a_sender,
    demand,
    index_in,
    pull,
    push,
    registry_of,
    revoked,
    signing,
)
from tests.builders.projects import MemoryProject
from tests.builders.signatures import a_key

_ALICE, _BOB, _CAROL = a_key(), a_key(), a_key()


@pytest.fixture
def sender() -> MemoryProject:
    return a_sender()


@pytest.fixture
def receiver(sender: MemoryProject) -> MemoryProject:
    return a_receiver(sender)


def sign(project: MemoryProject, key: PrivateKey, *, name: str | None = None) -> None:
    project.project().bundle_sign(V1, signing(key), name=name)


# -- nobody asks -----------------------------------------------------------------------------------------------------


def test_a_bundle_that_nobody_vouches_for_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    receiver.put("agent-sync.lock", "version: 1\n")
    with pytest.raises(Untrusted, match="nothing else makes this bundle trusted"):
        pull(receiver, write_lock=True)
    assert receiver.store.blobs == {}


@pytest.mark.parametrize("way", ["by its digest", "by the flag"])
def test_unless_it_is_vouched_for(sender: MemoryProject, receiver: MemoryProject, way: str) -> None:
    pushed = push(sender)
    receiver.directory.remove(RelPath("agent-sync.lock"))
    if way == "by its digest":
        pull(receiver, parse_reference(f"{NAME}@{pushed.digest}"), write_lock=True)
    else:
        pull(receiver, write_lock=True, allow_unsigned=True)
    assert receiver.lock == sender.lock


# -- rules -----------------------------------------------------------------------------------------------------------


def test_a_signed_bundle_is_taken_and_what_it_holds_may_be_synced(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    assert pull(receiver).verdict.signed
    receiver.project().sync()


def test_who_signs_a_bundle_may_sync_its_lock_without_pulling_it(sender: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(sender, _ALICE)
    sender.project().sync()


def test_a_bundle_by_another_key_is_refused_before_anything_is_fetched(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender, key=_BOB)
    demand(receiver, _ALICE)
    with pytest.raises(Untrusted):
        pull(receiver, allow_unsigned=True)
    assert receiver.store.blobs == {}


@pytest.mark.parametrize("pinned", [True, False])
def test_unsigned_where_signed_is_required_is_refused_whatever_else_vouches(
    sender: MemoryProject, receiver: MemoryProject, pinned: bool
) -> None:
    pushed = push(sender)
    receiver.layers[POLICY] = b"trust: {require: signed}"
    place = parse_reference(f"{NAME}@{pushed.digest}") if pinned else V1
    with pytest.raises(Untrusted, match="no rule applies to the name"):
        pull(receiver, place, allow_unsigned=True)


def test_two_of_three_must_have_signed(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE, _BOB, _CAROL, threshold=2)
    with pytest.raises(Untrusted, match="1 of 2 signatures"):
        pull(receiver)
    sign(sender, _ALICE)  # once more: that is the same signer
    with pytest.raises(Untrusted, match="1 of 2 signatures"):
        pull(receiver)
    sign(sender, _CAROL)
    assert len(pull(receiver).verdict.rules[0].signers) == 2
    receiver.project().sync()


def test_a_key_signs_the_same_bundle_once_however_often_it_is_pushed(sender: MemoryProject) -> None:
    push(sender, key=_ALICE)
    registry = registry_of(sender)
    before = set(registry.manifests)
    push(sender, key=_ALICE)
    assert set(registry.manifests) == before


@pytest.mark.parametrize("name", ["other/name", f"{NAME}/more", NAME.upper()])
def test_a_bundle_that_was_signed_for_another_name_is_refused(
    sender: MemoryProject, receiver: MemoryProject, name: str
) -> None:
    push(sender, key=_ALICE, name=name)
    demand(receiver, _ALICE, bundle="**")
    with pytest.raises(Untrusted, match="for the name"):
        pull(receiver)
    assert pull(receiver, name=name).verdict.signed


def test_a_mirror_keeps_the_trust(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    mirror = parse_reference("mirror.example.com/agents:v1")
    sender.project().bundle_copy(V1, mirror)
    demand(receiver, _ALICE)
    with pytest.raises(Untrusted, match="no rule applies to the name"):
        pull(receiver, mirror)
    pull(receiver, mirror, name=NAME)


def test_the_name_in_the_configuration_comes_before_that_of_the_place(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    for project in (sender, receiver):
        project.put("agent-sync.yaml", project.read("agent-sync.yaml") + "bundle: {name: acme/agents}\n")
    assert push(sender, key=_ALICE).name == "acme/agents"
    demand(receiver, _ALICE, bundle="acme/agents")
    pull(receiver)
    receiver.project().sync()


def test_a_signature_without_a_name_is_for_the_name_that_the_bundle_has(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    """That is how `cosign sign` signs; the name is part of what the digest is of."""
    pushed = push(sender)
    statement = statement_bytes(Statement((Subject("", pushed.digest.hex),), COSIGN_SIGN))
    _attach(sender, sign_with_key(statement, _ALICE))
    demand(receiver, _ALICE, bundle="**")
    with pytest.raises(Untrusted, match="for the name"):
        pull(receiver, name="other/name")
    pull(receiver)
    receiver.project().sync()


def test_provenance_does_not_vouch(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Only who says that a bundle may be used vouches for it, not who says how it was made."""
    pushed = push(sender)
    for kind in ("https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"):
        statement = statement_bytes(Statement((Subject(NAME, pushed.digest.hex),), kind))
        _attach(sender, sign_with_key(statement, _ALICE))
    demand(receiver, _ALICE)
    with pytest.raises(Untrusted, match="the statement is"):
        pull(receiver)


def _attach(project: MemoryProject, bundle: bytes) -> None:
    """The Sigstore bundle lies beside the bundle, and says nothing of itself on the outside."""
    registry = registry_of(project)
    layer = Descriptor(SIGSTORE_BUNDLE, Digest.of(bundle), len(bundle))
    registry.blobs[layer.digest] = bundle
    subject = index_in(registry).descriptor
    registry.put_manifest(Manifest.make(artifact_type=SIGSTORE_BUNDLE, config=EMPTY, layers=(layer,), subject=subject))


# -- policies together -----------------------------------------------------------------------------------------------

_LOOSE = """\
trust:
  rules:
  - {bundle: '**', transparency_log: optional, signers: [{key: keys/own.pub}]}
"""


@pytest.mark.parametrize("name", [NAME, "acme/agents"])
def test_a_project_cannot_let_in_what_the_machine_does_not(
    sender: MemoryProject, receiver: MemoryProject, name: str
) -> None:
    """Not with a signer of its own, and not for a name that the machine has no rule for."""
    push(sender, key=_BOB, name=name)
    demand(receiver, _ALICE)
    receiver.put("keys/own.pub", _BOB.public.pem)
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + _LOOSE)
    with pytest.raises(Untrusted):
        pull(receiver, name=name, allow_unsigned=True)


def test_a_projects_rule_is_one_more(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    receiver.put("keys/own.pub", _BOB.public.pem)
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + _LOOSE)
    with pytest.raises(Untrusted, match=r'rule "\*\*": 0 of 1 signatures'):
        pull(receiver)
    sign(sender, _BOB)
    pull(receiver)


@pytest.mark.parametrize("trust", ["{require: signed}", "{rules: []}", "{}"])
def test_a_project_cannot_switch_the_machines_demand_off(
    sender: MemoryProject, receiver: MemoryProject, trust: str
) -> None:
    push(sender)
    demand(receiver, _ALICE)
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + f"trust: {trust}\n")
    with pytest.raises(Untrusted):
        pull(receiver, allow_unsigned=True)


def test_a_key_that_a_policy_names_must_be_there(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    del receiver.layers["/etc/agent-sync/key-0.pub"]
    with pytest.raises(Untrusted, match="no such file"):
        pull(receiver)


def test_a_rule_that_cannot_be_checked_is_wrong_in_itself(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    receiver.layers[POLICY] = b"trust: {rules: [{bundle: '**', signers: [{identity: a, issuer: b}]}]}"
    with pytest.raises(ConfigInvalid, match="trusted root"):
        pull(receiver)


# -- verify ----------------------------------------------------------------------------------------------------------


def test_verify_explains_each_rule(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE, _BOB, threshold=2)
    result = receiver.project().bundle_verify(V1)
    assert not result.verdict.accepted
    (rule,) = result.verdict.rules
    assert (rule.satisfied, len(rule.signers)) == (False, 1)
    sign(sender, _BOB)
    assert receiver.project().bundle_verify(V1).verdict.accepted
    assert receiver.store.blobs == {}


def test_verify_can_ask_for_one_more_key(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    for key, accepted in ((_ALICE, True), (_BOB, False)):
        asked = RequiredSigner(key=key.public.pem)
        assert receiver.project().bundle_verify(V1, signer=asked).verdict.accepted is accepted


def test_verify_needs_to_know_who_must_have_signed(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    with pytest.raises(UsageError, match="no policy or option names a signer"):
        receiver.project().bundle_verify(V1)
    for asked in (
        RequiredSigner(identity="a"),
        RequiredSigner(issuer="b"),
        RequiredSigner(root=b"{}"),
        RequiredSigner(key=b"", identity="a", issuer="b"),
    ):
        with pytest.raises(UsageError):
            receiver.project().bundle_verify(V1, signer=asked)


def test_verify_says_what_a_revocation_alone_does(sender: MemoryProject, receiver: MemoryProject) -> None:
    pushed = push(sender)
    receiver.layers[POLICY] = f"trust:\n{revoked(str(pushed.digest))}".encode()
    assert not receiver.project().bundle_verify(V1).verdict.accepted


# -- what lies beside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("junk", ["too large", "lost", "changed", "no bundle"])
def test_what_is_no_signature_does_not_keep_the_others_from_counting(
    sender: MemoryProject, receiver: MemoryProject, junk: str
) -> None:
    """Whoever may push can attach anything."""
    push(sender, key=_ALICE)
    _attach(sender, b"{" + b" " * (2 << 20) + b"}" if junk == "too large" else b"junk")
    registry = registry_of(sender)
    if junk in ("lost", "changed"):
        digest = Digest.of(b"junk")
        registry.blobs[digest] = b"knuj"
        if junk == "lost":
            del registry.blobs[digest]
    demand(receiver, _ALICE)
    verdict = pull(receiver).verdict
    assert verdict.signed
    assert len(verdict.rules[0].passed_over) == 1
