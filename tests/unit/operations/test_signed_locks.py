"""Locks where signatures are required, judged again at every sync; what is revoked; signers that change."""

from __future__ import annotations

import pytest

from agent_sync.errors import Untrusted
from agent_sync_oci.digest import Digest
from agent_sync_oci.signing.keys import PrivateKey
from tests.builders.bundles import (
    NAME,
    POLICY,
    V1,
    a_receiver,
    a_sender,
    changed,
    demand,
    index_in,
    part_in,
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


# -- sync, where signatures are required -----------------------------------------------------------------------------


def test_where_signatures_are_required_a_lock_that_no_bundle_holds_is_not_synced(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().sync()
    pull(receiver)
    receiver.put("agent-sync.lock", receiver.lock + "# one byte more\n")
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().sync()
    assert receiver.outputs == {}


def test_a_dry_run_and_a_frozen_run_are_judged_like_any_other(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    demand(receiver, _ALICE)
    for options in ({"dry_run": True}, {"frozen": True}):
        with pytest.raises(Untrusted):
            receiver.project().sync(**options)


def test_what_the_store_remembers_of_a_bundle_vouches_for_nothing_by_itself(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    """Whatever is changed in the record or in a blob that it names: refused, and no traceback."""
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    store = receiver.store
    ((kind, key),) = [each for each in store.recorded if each[0] == "bundles"]
    honest = store.recorded[kind, key]
    for_reclaiming = range(honest.index(b'"lock":'), honest.index(b'"name":'))  # nothing else looks at that
    for at in sorted({*range(0, len(honest), 3)} - {*for_reclaiming}):
        store.recorded[kind, key] = honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :]
        _refused(receiver)
    for other in (b"", b"{}", b"[]", b"null", honest[:-1], honest.replace(NAME.encode(), b"other/name")):
        store.recorded[kind, key] = other
        _refused(receiver)
    store.recorded[kind, key] = honest
    receiver.project().sync()
    for digest in [Digest.parse(text) for text in _digests_in(honest)]:
        before = store.blobs[digest]
        store.blobs[digest] = before[:-1] + bytes([before[-1] ^ 1])
        if digest != Digest.of(receiver.lock.encode()):  # which is compared with the file, and not read from there
            _refused(receiver)
        store.blobs[digest] = before


def _refused(receiver: MemoryProject) -> None:
    with pytest.raises(Untrusted):
        receiver.project().sync()


def _digests_in(record: bytes) -> list[str]:
    return [f"sha256:{part[:64]}" for part in record.decode().split("sha256:")[1:]]


def test_a_damaged_record_is_healed_by_the_next_pull(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    for digest, content in list(receiver.store.blobs.items()):
        if b"dsseEnvelope" in content:
            receiver.store.blobs[digest] = bytes(len(content))
    _refused(receiver)
    pull(receiver)
    receiver.project().sync()


def test_pushing_again_does_not_unsay_what_others_have_signed(sender: MemoryProject) -> None:
    push(sender, key=_ALICE)
    sign(sender, _BOB)
    demand(sender, _ALICE, _BOB, threshold=2)
    pull(sender)
    push(sender, key=_ALICE)
    sender.project().sync()


# -- revocations -----------------------------------------------------------------------------------------------------


def test_what_is_revoked_after_the_pull_is_not_synced(sender: MemoryProject, receiver: MemoryProject) -> None:
    pushed = push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    demand(receiver, _ALICE, more=revoked(str(pushed.digest)))
    with pytest.raises(Untrusted, match="leaked"):
        receiver.project().sync()


@pytest.mark.parametrize("what", ["index", "lockfile's manifest", "lockfile", "part", "blob", "file"])
@pytest.mark.parametrize("demanding", [True, False])
def test_whatever_a_bundle_consists_of_can_be_revoked(
    sender: MemoryProject, receiver: MemoryProject, what: str, demanding: bool
) -> None:
    push(sender, key=_ALICE)
    pull(receiver)
    digest = _digest_of(what, sender)
    if demanding:
        demand(receiver, _ALICE, more=revoked(digest))
    else:
        receiver.layers[POLICY] = f"trust:\n{revoked(digest)}".encode()
    with pytest.raises(Untrusted, match="leaked"):
        pull(receiver)
    with pytest.raises(Untrusted, match="leaked"):
        receiver.project().sync()


def _digest_of(what: str, sender: MemoryProject) -> str:
    registry = registry_of(sender)
    index = index_in(registry)
    return str(
        {
            "index": index.digest,
            "lockfile's manifest": index.manifests[0].digest,
            "lockfile": Digest.of(sender.lock.encode()),
            "part": index.manifests[1].digest,
            "blob": next(digest for digest, content in sender.store.blobs.items() if b"ustar" in content),
            "file": Digest.of(b"b\n"),
        }[what]
    )


def test_what_travels_can_be_revoked_too(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    (layer,) = part_in(registry_of(sender)).layers
    demand(receiver, _ALICE, more=revoked(str(layer.digest)))
    with pytest.raises(Untrusted, match="leaked"):
        pull(receiver)


def test_a_lock_that_is_also_in_a_bundle_which_is_not_revoked_may_be_synced(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    old = push(sender)
    pull(receiver)
    push(sender, name="other/name")
    pull(receiver, name="other/name")
    receiver.layers[POLICY] = f"trust:\n{revoked(str(old.digest))}".encode()
    receiver.project().sync()


def test_where_the_project_names_its_bundle_one_of_another_name_makes_its_lock_no_better(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    """Who may sign `other/name` does not thereby decide what this project syncs."""
    push(sender, key=_BOB, name="other/name")
    own = f"  - {{bundle: '{NAME}', transparency_log: optional, signers: [{{key: key-0.pub}}]}}\n"
    demand(receiver, _BOB, bundle="other/name", more=own)
    pull(receiver, name="other/name")
    receiver.project().sync()
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + f"bundle: {{name: {NAME}}}\n")
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().sync()


# -- signers that change ---------------------------------------------------------------------------------------------


def test_a_signer_that_changes_must_be_accepted(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    push(changed(sender), key=_BOB)
    demand(receiver, _BOB)  # under the same name of a file
    with pytest.raises(Untrusted, match="when last pulled by"):
        pull(receiver, write_lock=True)
    assert receiver.lock != sender.lock
    pull(receiver, write_lock=True, accept_signer_change=True)
    pull(receiver)


def test_one_more_signer_is_no_change_and_one_less_is(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE, _BOB)
    pull(receiver)
    push(changed(sender), key=_ALICE)
    sign(sender, _BOB)
    pull(receiver, write_lock=True)
    push(changed(sender, "d.md"), key=_ALICE)
    with pytest.raises(Untrusted, match="when last pulled by"):
        pull(receiver, write_lock=True)


def test_that_nobody_is_asked_for_any_more_is_a_change(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender, key=_ALICE)
    demand(receiver, _ALICE)
    pull(receiver)
    push(changed(sender))
    receiver.layers.clear()
    with pytest.raises(Untrusted, match="by nobody"):
        pull(receiver, write_lock=True, allow_unsigned=True)
