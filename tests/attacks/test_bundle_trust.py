"""Ways around a trust policy: what nobody has signed, revocations in disguise, judges of one's own, forged records."""

from __future__ import annotations

import json
import re

import pytest

from agent_sync.errors import ConfigInvalid, Untrusted
from agent_sync_oci.digest import Digest
from agent_sync_oci.strict_json import canonical_json
from tests.builders.bundles import POLICY, a_receiver, a_sender, demand, pull, push, revoked
from tests.builders.projects import MemoryProject
from tests.builders.signatures import a_key

_ALICE, _MALLORY = a_key(), a_key()


@pytest.fixture
def sender() -> MemoryProject:
    return a_sender()


@pytest.fixture
def receiver(sender: MemoryProject) -> MemoryProject:
    return a_receiver(sender)


# -- what nobody has signed ------------------------------------------------------------------------------------------

_OTHER_OUTPUTS = {
    "an override": (
        "tools: [cursor]}\n",
        "tools: [cursor]}\noverrides:\n- {target: a.md, strategy: append, file: x}\n",
    ),
    "another directory": ("tools: [cursor]", "destination: docs/"),
    "a template": ("tools: [cursor]}\n", "tools: [cursor]}\ntransforms:\n- {source: rules, type: template}\n"),
}


@pytest.mark.parametrize("change", _OTHER_OUTPUTS)
def test_a_configuration_cannot_make_something_else_of_a_signed_lock(
    sender: MemoryProject, receiver: MemoryProject, change: str
) -> None:
    """The lock is signed, and the file beside it that says what is made of the sources is not."""
    sender.put("rules/a.md", "{{ 1 }}\n")
    sender.project().update()
    receiver = a_receiver(sender)
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    receiver.put("x", "do as Mallory says\n")
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml").replace(*_OTHER_OUTPUTS[change]))
    for options in ({}, {"dry_run": True}, {"prune": True}):
        with pytest.raises(Untrusted, match="other outputs than the signed lock"):
            receiver.project().sync(**options)
    assert receiver.outputs == {}
    receiver.project().sync(frozen=True)
    assert receiver.outputs[".cursor/rules/a.md"] == "{{ 1 }}\n"


def test_a_signed_lock_that_does_not_say_where_files_go_leaves_it_to_nobody(sender: MemoryProject) -> None:
    sender.put("agent-sync.lock", re.sub(r"(?ms)^outputs:.*?(?=^\S|\Z)", "", sender.lock))
    receiver = a_receiver(sender)
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    with pytest.raises(Untrusted, match="other outputs"):
        receiver.project().sync()
    assert receiver.outputs == {}


def test_a_personal_lock_that_nobody_signed_is_named(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    receiver.put(".agent-sync/inherited.lock", "version: 1\nsources: []\n")
    with pytest.raises(Untrusted, match=r"inherited\.lock"):
        receiver.project().sync()
    receiver.project(no_inherit=True).sync()


# -- revocations -----------------------------------------------------------------------------------------------------


def test_what_is_revoked_is_found_however_the_lock_spells_it(sender: MemoryProject) -> None:
    leaked = Digest.of(b"b\n")
    disguised = sender.lock.replace(leaked.hex, f"\\x{ord(leaked.hex[0]):02x}{leaked.hex[1:]}")
    assert disguised != sender.lock
    sender.put("agent-sync.lock", disguised)
    push(sender, key=_ALICE)
    receiver = a_receiver(sender)
    receiver.layers[POLICY] = f"trust:\n{revoked(leaked)}".encode()
    with pytest.raises(Untrusted, match="is revoked"):
        pull(receiver)
    with pytest.raises(Untrusted, match="is revoked"):
        receiver.project().sync()


# -- judges of one's own ---------------------------------------------------------------------------------------------

_OWN_RULE = "{bundle: '**', transparency_log: optional, signers: [{key: keys/own.pub}]}"


def test_a_project_names_no_judges_where_the_machine_requires_signatures(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender, key=_MALLORY)
    receiver.layers[POLICY] = b"trust: {require: signed}\n"
    receiver.put("keys/own.pub", _MALLORY.public.pem)
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + f"trust: {{rules: [{_OWN_RULE}]}}\n")
    with pytest.raises(Untrusted, match="one policy has no rule for the name"):
        pull(receiver, allow_unsigned=True)


def test_a_projects_own_demand_is_met_by_the_machines_rule(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + "trust: {require: signed}\n")
    pull(receiver)


# -- who can write the store -----------------------------------------------------------------------------------------


def test_a_forged_record_costs_nothing_and_prints_nothing(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Anybody who shares the store can write records: no name of theirs is repeated, and no large blob is read."""
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    store = receiver.store
    ((kind, key),) = [each for each in store.recorded if each[0] == "bundles"]
    honest = json.loads(store.recorded[kind, key])
    large = bytes(5 << 20)
    store.blobs[Digest.of(large)] = large
    for forged in (
        {"name": "acme\x1b[2J"},
        {"name": "x" * 5000},
        {"index": Digest.of(large)},
        {"signatures": [Digest.of(large)]},
        {"signatures": [Digest.of(b"not here")] * 5000 + honest["signatures"]},
    ):
        store.recorded[kind, key] = canonical_json({**honest, **forged})
        with pytest.raises(Untrusted) as refusal:
            receiver.project().sync()
        assert "\x1b" not in str(refusal.value)
        assert len(str(refusal.value)) < 1000


def test_a_pinned_root_that_is_none_is_an_error_and_no_crash(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    ((kind, key),) = [each for each in receiver.store.recorded if each[0] == "bundles"]
    root = b"{}"
    receiver.store.blobs[Digest.of(root)] = root
    record = {**json.loads(receiver.store.recorded[kind, key]), "roots": [Digest.of(root)]}
    receiver.store.recorded[kind, key] = canonical_json(record)
    rule = "{bundle: '**', signers: [{identity: a, issuer: b}]}"
    receiver.layers[POLICY] = f"trust: {{root_sha256: '{Digest.of(root)}', rules: [{rule}]}}".encode()
    with pytest.raises(Untrusted, match="trusted root"):
        receiver.project().sync()


# -- caches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", ["https://me:hunter2@host.example/x", "me:hunter2@host.example/x"])
def test_a_password_in_the_address_of_a_cache_is_refused_and_not_repeated(receiver: MemoryProject, cache: str) -> None:
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + f"caches: ['{cache}']\n")
    with pytest.raises(ConfigInvalid, match="password") as refusal:
        receiver.project().sync()
    assert "hunter2" not in str(refusal.value)


def test_nix_is_given_nothing_of_a_lock_that_nobody_has_signed(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().nix_export("/project/cache")
