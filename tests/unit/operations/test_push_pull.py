"""push and pull, on places in memory: what travels, who must vouch, and what is refused before anything is taken."""

from __future__ import annotations

import pytest

from agent_sync.errors import (
    AgentSyncError,
    BytesUnavailable,
    ContentMismatch,
    LimitExceeded,
    LockIsStale,
    NotThere,
    Untrusted,
    UsageWrong,
)
from agent_sync.operations.push import PushRequest
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Index, Manifest
from agent_sync_oci.reference import parse_place
from tests.builders.bundles import (
    NAME,
    POLICY,
    V1,
    a_receiver,
    a_sender,
    changed,
    demand,
    index_in,
    listed,
    part_in,
    pull,
    push,
    registry_of,
    revoked,
)
from tests.builders.projects import MemoryProject
from tests.builders.signatures import a_key

CACHED = f"caches: [broken.example.com/x, {NAME}]\n"


@pytest.fixture
def sender() -> MemoryProject:
    return a_sender()


@pytest.fixture
def receiver(sender: MemoryProject) -> MemoryProject:
    return a_receiver(sender)


def without_source(project: MemoryProject) -> MemoryProject:
    """The local source's folder is not there, as on a machine that got the committed files only."""
    for path in [path for path in project.files if path.startswith("rules/")]:
        project.folder.remove(RelPath(path))
    project.folder.remove_folder(RelPath("rules"))
    return project


# -- the way out and back --------------------------------------------------------------------------------------------


def test_what_was_pushed_is_synced_elsewhere_without_the_source(sender: MemoryProject, receiver: MemoryProject) -> None:
    pushed = push(sender)
    assert (pushed.sent, pushed.present) == (("rules",), ())
    pulled = pull(without_source(receiver))
    assert (pulled.fetched, pulled.digest) == (("rules",), pushed.digest)
    receiver.offline = True
    receiver.project().sync()
    assert receiver.outputs == {".cursor/rules/a.md": "a\n" * 500, ".cursor/rules/b.md": "b\n"}


def test_a_second_push_sends_nothing_and_gives_the_same_digest(sender: MemoryProject) -> None:
    first, again = push(sender), push(sender)
    assert (again.sent, again.present, again.digest) == ((), ("rules",), first.digest)


def test_a_second_pull_fetches_nothing(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    assert pull(receiver).fetched == ("rules",)
    again = pull(receiver)
    assert (again.fetched, again.present) == ((), ("rules",))


def test_the_same_lock_is_the_same_bundle_on_another_machine(sender: MemoryProject, receiver: MemoryProject) -> None:
    assert push(sender).digest == push(receiver, parse_place("elsewhere.example.com/x:1"), name=NAME).digest


def test_a_source_is_found_by_its_digest_alone(sender: MemoryProject) -> None:
    push(sender)
    lock = sender.project().lock_file.read()
    assert lock is not None
    (source,) = lock.sources
    assert source.pin.packed.blob is not None  # type: ignore[union-attr]  # it is a local source
    assert f"src-{source.pin.packed.blob.hex}" in registry_of(sender).tags()  # type: ignore[union-attr]  # as above


def test_the_tag_moves_last(sender: MemoryProject) -> None:
    """A push whose signature fails leaves the tag where it was."""
    first = push(sender)
    sender.put("rules/c.md", "c\n")
    sender.project().update()

    def broken(_statement: bytes) -> bytes:
        raise UsageWrong(subject="key", check="no")

    with pytest.raises(UsageWrong):
        sender.project().push(PushRequest(V1, signing=broken))
    assert registry_of(sender).manifest("v1").digest == first.digest


def test_a_wrong_artifact_under_a_sources_tag_is_replaced(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Whoever may push could have been there first."""
    push(sender)
    registry = registry_of(sender)
    (tag,) = (tag for tag in registry.tags() if tag.startswith("src-"))
    honest = registry.manifest(tag)
    assert isinstance(honest, Manifest)
    junk = b"not it"
    layer = Descriptor(honest.layers[0].media_type, Digest.of(junk), len(junk))
    registry.blobs[layer.digest] = junk
    forged = Manifest.make(artifact_type=honest.artifact_type, config=honest.config, layers=(layer,))
    registry.put_manifest(forged, tag=tag)
    assert push(sender).sent == ("rules",)
    assert pull(receiver).fetched == ("rules",)


# -- who vouches -----------------------------------------------------------------------------------------------------


def test_a_bundle_that_nobody_vouches_for_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    receiver.put("agent-sync.lock", "version: 1\n")
    with pytest.raises(Untrusted, match="nothing else vouches"):
        pull(receiver, write_lock=True)
    assert receiver.store.blobs == {}


@pytest.mark.parametrize("way", ["by its digest", "by the flag"])
def test_unless_it_is_vouched_for(sender: MemoryProject, receiver: MemoryProject, way: str) -> None:
    pushed = push(sender)
    receiver.folder.remove(RelPath("agent-sync.lock"))
    if way == "by its digest":
        pull(receiver, parse_place(f"{NAME}@{pushed.digest}"), write_lock=True)
    else:
        pull(receiver, write_lock=True, allow_unsigned=True)
    assert receiver.lock == sender.lock


def test_a_signed_bundle_is_taken_and_what_it_holds_may_be_synced(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    key = a_key()
    push(sender, key=key)
    demand(receiver, key)
    assert pull(receiver).verdict.signed
    receiver.project().sync()


def test_where_signatures_are_required_a_lock_that_no_bundle_holds_is_not_synced(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    key = a_key()
    push(sender, key=key)
    demand(receiver, key)
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().sync()
    pull(receiver)
    receiver.put("agent-sync.lock", receiver.lock + "# one byte more\n")
    with pytest.raises(Untrusted, match="no signed bundle"):
        receiver.project().sync()
    assert receiver.outputs == {}


def test_what_is_revoked_after_the_pull_is_not_synced(sender: MemoryProject, receiver: MemoryProject) -> None:
    key = a_key()
    pushed = push(sender, key=key)
    demand(receiver, key)
    pull(receiver)
    demand(receiver, key, f"  revoked: [{{digest: '{pushed.digest}', reason: leaked}}]\n")
    with pytest.raises(Untrusted, match="leaked"):
        receiver.project().sync()


@pytest.mark.parametrize("what", ["a blob", "a file"])
def test_what_is_revoked_in_a_lock_is_neither_pulled_nor_synced(
    sender: MemoryProject, receiver: MemoryProject, what: str
) -> None:
    key = a_key()
    push(sender, key=key)
    digest = Digest.of(b"b\n") if what == "a file" else next(iter(sender.store.blobs))
    demand(receiver, key, f"  revoked: [{{digest: '{digest}', reason: leaked}}]\n")
    with pytest.raises(Untrusted, match="leaked"):
        pull(receiver)
    receiver.layers["/etc/agent-sync/policy.yaml"] = (
        f"trust: {{revoked: [{{digest: '{digest}', reason: leaked}}]}}".encode()
    )
    with pytest.raises(Untrusted, match="leaked"):
        receiver.project().sync()


def test_a_bundle_by_another_key_is_refused_before_anything_is_fetched(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender, key=a_key())
    demand(receiver, a_key())
    with pytest.raises(Untrusted):
        pull(receiver, allow_unsigned=True)
    assert receiver.store.blobs == {}


def test_a_bundle_that_was_signed_for_another_name_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    key = a_key()
    push(sender, key=key, name="other/name")
    demand(receiver, key)
    with pytest.raises(Untrusted, match="for the name"):
        pull(receiver)


def test_a_signer_that_changes_must_be_accepted(sender: MemoryProject, receiver: MemoryProject) -> None:
    old, new = a_key(), a_key()
    push(sender, key=old)
    demand(receiver, old)
    pull(receiver)
    sender.put("rules/c.md", "c\n")
    sender.project().update()
    push(sender, key=new)
    demand(receiver, new)
    with pytest.raises(Untrusted, match="now by"):
        pull(receiver, write_lock=True)
    pull(receiver, write_lock=True, accept_signer_change=True)
    pull(receiver)


# -- what is refused -------------------------------------------------------------------------------------------------


def test_another_lock_than_the_projects_is_not_taken_unasked(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    receiver.put("rules/z.md", "z\n")
    receiver.project().update()
    before = receiver.lock
    with pytest.raises(LockIsStale, match="not the lock of bundle"):
        pull(receiver, allow_unsigned=True)
    assert receiver.lock == before


def test_a_layer_that_is_not_what_the_lock_pins_is_refused_and_the_lock_stays(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    """All digests of the place agree with each other; only the lock knows better."""
    push(sender)
    registry = registry_of(sender)
    index = registry.manifest("v1")
    assert isinstance(index, Index)
    lockfile, part = index.manifests
    honest = registry.manifest(part.digest)
    assert isinstance(honest, Manifest)
    other = b"x" * 4096
    layer = Descriptor("application/vnd.agent-sync.source.layer.v1.tar", Digest.of(other), len(other))
    registry.blobs[layer.digest] = other
    forged = Manifest.make(artifact_type=honest.artifact_type, config=honest.config, layers=(layer,))
    registry.put_manifest(forged)
    plain = forged.descriptor
    child = Descriptor(plain.media_type, plain.digest, plain.size, part.annotations)
    lying = Index.make(artifact_type=index.artifact_type, manifests=(lockfile, child), annotations=index.annotations)
    registry.put_manifest(lying, tag="v1")
    receiver.folder.remove(RelPath("agent-sync.lock"))
    with pytest.raises((ContentMismatch, LimitExceeded)):
        pull(receiver, write_lock=True, allow_unsigned=True)
    assert "agent-sync.lock" not in receiver.files


@pytest.mark.parametrize(
    ("place", "error"),
    [("registry.example.com/team/agents", UsageWrong), ("oci:/layout", UsageWrong), (f"{NAME}:v2", NotThere)],
)
def test_a_place_that_does_not_say_enough_is_refused(
    sender: MemoryProject, receiver: MemoryProject, place: str, error: type[AgentSyncError]
) -> None:
    push(sender)
    with pytest.raises(error):
        pull(receiver, parse_place(place))


def test_a_digest_cannot_be_pushed_to(sender: MemoryProject) -> None:
    with pytest.raises(UsageWrong, match="follows from what is pushed"):
        push(sender, parse_place(f"{NAME}@{Digest.of(b'')}"))


# -- caches ----------------------------------------------------------------------------------------------------------


CACHED = f"caches: [broken.example.com/x, {NAME}]\n"


def test_a_cache_serves_what_the_store_lacks(sender: MemoryProject) -> None:
    push(sender)
    receiver = without_source(sender.another_checkout())
    receiver.put("agent-sync.yaml", receiver.read("agent-sync.yaml") + CACHED)
    receiver.project().sync()
    assert receiver.outputs[".cursor/rules/b.md"] == "b\n"
