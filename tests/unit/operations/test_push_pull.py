"""push and pull, on places in memory: what travels, what is there already, and what is not a place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.errors import AgentSyncError, BytesUnavailable, LockMissing, LockStale, NotFound, UsageError
from agent_sync.events import Progressed
from agent_sync.operations.pull import PullResult
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor, Manifest
from agent_sync_oci.reference import parse_reference
from tests.builders.bundles import NAME, V1, a_receiver, a_sender, changed, part_in, pull, push, registry_of
from tests.builders.projects import MemoryProject

_ELSEWHERE = parse_reference("elsewhere.example.com/x:1")
_ZSTD, _TAR = "tar+zstd", "tar"


@pytest.fixture
def sender() -> MemoryProject:
    return a_sender()


@pytest.fixture
def receiver(sender: MemoryProject) -> MemoryProject:
    return a_receiver(sender)


def without_source(project: MemoryProject) -> MemoryProject:
    """The local source's directory is not there, as on a machine that got the committed files only."""
    for path in [path for path in project.files if path.startswith("rules/")]:
        project.directory.remove(RelPath(path))
    project.directory.remove_directory(RelPath("rules"))
    return project


def way_of(part: Manifest) -> str:
    """How a part's content travels: the end of the media type of its layer."""
    return part.layers[0].media_type.removeprefix("application/vnd.agent-sync.source.layer.v1.")


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
    assert (again.sent, again.present, again.sent_bytes, again.digest) == ((), ("rules",), 0, first.digest)


def test_a_second_pull_fetches_nothing(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    assert pull(receiver).fetched == ("rules",)
    again = pull(receiver)
    assert (again.fetched, again.present) == ((), ("rules",))


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_the_same_lock_is_the_same_bundle_on_another_machine(
    sender: MemoryProject, receiver: MemoryProject, compression: str
) -> None:
    here = push(sender, compression=compression)
    there = push(receiver, _ELSEWHERE, name=NAME, compression=compression)
    assert here.digest == there.digest


def test_a_source_is_found_by_its_digest_alone(sender: MemoryProject) -> None:
    push(sender)
    lock = sender.project().lock_file.read()
    assert lock is not None
    (source,) = lock.sources
    blob = source.pin.content.blob
    assert blob is not None
    assert f"src-{blob.hex}" in registry_of(sender).tags()


def test_a_project_that_has_only_a_lock_can_push_it_on(sender: MemoryProject, receiver: MemoryProject) -> None:
    pushed = push(sender)
    pull(receiver)
    receiver.directory.remove(RelPath("agent-sync.yaml"))
    assert push(without_source(receiver), _ELSEWHERE, name=NAME).digest == pushed.digest


def test_without_a_lock_there_is_nothing_to_push(sender: MemoryProject) -> None:
    sender.directory.remove(RelPath("agent-sync.lock"))
    with pytest.raises(LockMissing):
        push(sender)


def test_how_far_it_has_come_is_told(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    pull(receiver)
    told = [event for event in [*sender.events, *receiver.events] if isinstance(event, Progressed)]
    assert Progressed("sending", 1, 1) in told
    assert Progressed("fetching", 1, 1) in told


def test_offline_no_registry_is_asked(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    sender.offline = receiver.offline = True
    sender.registries.opened.clear()
    for work in (lambda: push(sender), lambda: pull(receiver)):
        with pytest.raises(BytesUnavailable, match="forbids connecting"):
            work()
    assert sender.registries.opened == []
    push(sender, parse_reference("oci:/stick"), name=NAME)


# -- in which form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "way"), [(str(V1), _ZSTD), ("oci-archive:/agents.tar", _ZSTD), ("oci:/layout", _TAR)]
)
def test_trees_are_compressed_except_in_a_directory_where_nix_reads_them(
    sender: MemoryProject, place: str, way: str
) -> None:
    push(sender, parse_reference(place), name=NAME)
    registry = sender.registries.registries[parse_reference(place).name]
    tag = "v1" if place == str(V1) else "latest"
    index = registry.manifest(tag)
    part = registry.manifest(index.manifests[1].digest)  # type: ignore[union-attr]  # it is the bundle's index
    assert isinstance(part, Manifest)
    assert way_of(part) == way


def test_who_says_how_to_compress_gets_it_whoever_was_there_first(sender: MemoryProject) -> None:
    first = push(sender, compression="none")
    assert way_of(part_in(registry_of(sender))) == _TAR
    compressed = push(sender, compression="zstd")
    assert way_of(part_in(registry_of(sender))) == _ZSTD
    again = push(sender, compression="none")
    assert compressed.digest != first.digest == again.digest
    assert again.sent_bytes == 0  # all of it is still there


# -- what somebody else has put there --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["other bytes", "more than it is", "another config", "no artifact"])
def test_a_wrong_artifact_under_a_sources_tag_is_replaced(
    sender: MemoryProject, receiver: MemoryProject, what: str
) -> None:
    """Whoever may push could have been there first."""
    honest = push(sender)
    registry = registry_of(sender)
    (tag,) = (tag for tag in registry.tags() if tag.startswith("src-"))
    part = part_in(registry)
    if what == "no artifact":
        registry.put_manifest(registry.manifest("v1"), tag=tag)
    else:
        registry.put_manifest(_forged(part, what, registry.blobs), tag=tag)
    again = push(sender)
    assert (again.digest, again.sent) == (honest.digest, ("rules",))
    assert registry.manifest(tag) == part
    assert pull(receiver).fetched == ("rules",)


def _forged(part: Manifest, what: str, blobs: dict[Digest, bytes]) -> Manifest:
    layer, config = part.layers[0], part.config
    if what == "other bytes":
        layer = replace(layer, digest=_put(b"not it", blobs), size=6)
    if what == "another config":
        config = Descriptor(config.media_type, _put(b'{"blob":"x"}', blobs), 12)
    annotations = {"org.opencontainers.image.created": "now"} if what == "more than it is" else {}
    return Manifest.make(artifact_type=part.artifact_type, config=config, layers=(layer,), annotations=annotations)


def _put(content: bytes, blobs: dict[Digest, bytes]) -> Digest:
    blobs[Digest.of(content)] = content
    return Digest.of(content)


def test_a_layer_that_the_registry_has_lost_is_sent_again(sender: MemoryProject) -> None:
    push(sender)
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    del registry.blobs[layer.digest]
    assert push(sender).sent == ("rules",)
    assert layer.digest in registry.blobs


def test_what_another_machine_has_sent_is_read_once_and_believed_then(
    sender: MemoryProject, receiver: MemoryProject
) -> None:
    push(sender)
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    for sent in ((), ()):
        assert push(receiver).sent == sent
    honest = registry.blobs.pop(layer.digest)
    registry.blobs[layer.digest] = bytes(len(honest))  # of the same length, and read no more
    assert push(receiver).sent == ()


# -- the lock --------------------------------------------------------------------------------------------------------


def test_another_lock_than_the_projects_is_not_taken_unasked(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(sender)
    changed(receiver, "z.md")
    before = receiver.lock
    with pytest.raises(LockStale, match="not the lock of bundle"):
        pull(receiver, allow_unsigned=True)
    assert receiver.lock == before


def test_what_the_lock_changes_is_shown_before_it_is_written(sender: MemoryProject, receiver: MemoryProject) -> None:
    push(changed(sender))
    shown: list[PullResult] = []

    def decline(proposal: PullResult) -> bool:
        shown.append(proposal)
        return False

    result = pull(receiver, write_lock=True, allow_unsigned=True, confirm=decline)
    assert result.declined
    assert [source.name for source in shown[0].difference.sources] == ["rules"]
    assert receiver.store.blobs == {}
    assert receiver.lock != sender.lock
    assert pull(receiver, write_lock=True, allow_unsigned=True, confirm=lambda _: True).lock_written
    assert receiver.lock == sender.lock


# -- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "error"),
    [("registry.example.com/team/agents", UsageError), ("oci:/layout", UsageError), (f"{NAME}:v2", NotFound)],
)
def test_a_place_that_does_not_say_enough_is_refused(
    sender: MemoryProject, receiver: MemoryProject, place: str, error: type[AgentSyncError]
) -> None:
    push(sender)
    with pytest.raises(error):
        pull(receiver, parse_reference(place))


def test_a_digest_cannot_be_pushed_to(sender: MemoryProject) -> None:
    with pytest.raises(UsageError, match="follows from what is pushed"):
        push(sender, parse_reference(f"{NAME}@{Digest.of(b'')}"))


@pytest.mark.parametrize("kind", ["src", "root", "sha256"])
def test_a_tag_under_which_something_else_is_looked_for_cannot_be_pushed_to(sender: MemoryProject, kind: str) -> None:
    with pytest.raises(UsageError, match="are reserved for sources"):
        push(sender, parse_reference(f"{NAME}:{kind}-{'a' * 64}"))


@pytest.mark.parametrize("name", ["", " ", "two words", "new\nline", "esc\x1b[2J", "bidi\u202e", "x" * 1025])
def test_a_name_that_is_none_is_refused(sender: MemoryProject, name: str) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        push(sender, name=name)


def test_the_tag_moves_last(sender: MemoryProject) -> None:
    """A push whose signature fails leaves the tag where it was."""
    first = push(sender)
    changed(sender)

    def broken(_statement: bytes) -> bytes:
        raise UsageError(subject="key", check="no")

    with pytest.raises(UsageError):
        sender.project().push(V1, signing=broken)
    assert registry_of(sender).manifest("v1").digest == first.digest


def test_the_name_in_a_layout_is_told_and_not_trusted(sender: MemoryProject, receiver: MemoryProject) -> None:
    layout = parse_reference("oci:/layout")
    push(sender, layout, name="acme/agents")
    receiver.registries.registries["oci:/layout"] = sender.registries.registries["oci:/layout"]
    for ask in (lambda: pull(receiver, layout), lambda: receiver.project().bundle_verify(layout)):
        with pytest.raises(
            UsageError, match="the bundle says it is `acme/agents`, which is not trusted by itself"
        ) as said:
            ask()
        assert said.value.remedy is not None
        assert said.value.remedy.endswith("pass --name acme/agents")
