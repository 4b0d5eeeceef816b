"""bundle copy and bundle inspect, on places in memory: what goes along, what is left out, what is shown."""

from __future__ import annotations

import json

import pytest

from agent_sync.errors import BytesUnavailable, DigestMismatch, NotFound, UsageError
from agent_sync.operations.bundle import CopyResult
from agent_sync_oci.digest import Digest
from agent_sync_oci.reference import Reference, parse_reference
from agent_sync_oci.registry.memory import MemoryRegistry
from tests.builders.bundles import (
    NAME,
    POLICY,
    V1,
    a_receiver,
    a_sender,
    changed,
    part_in,
    pull,
    push,
    registry_of,
)
from tests.builders.projects import MemoryProject, a_local_project
from tests.builders.signatures import a_key

STICK, DELTA, MIRROR = (
    parse_reference("oci:/stick"),
    parse_reference("oci-archive:/delta.tar"),
    parse_reference("mirror.example.com/agents:v1"),
)
_ROOT = b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'


@pytest.fixture
def sender() -> MemoryProject:
    return a_sender()


def copy(
    project: MemoryProject, source: Reference, target: Reference, *, since: bytes | Reference | None = None
) -> CopyResult:
    return project.project().bundle_copy(source, target, since=since)


def at(project: MemoryProject, place: Reference) -> MemoryRegistry:
    return project.registries.registries[place.name]


# -- all of it -------------------------------------------------------------------------------------------------------


def test_a_copy_has_the_same_digest_its_signatures_and_its_sources_by_their_digests(sender: MemoryProject) -> None:
    key = a_key()
    pushed = push(sender, key=key)
    for source, target in ((V1, STICK), (STICK, MIRROR)):
        copied = copy(sender, source, target)
        assert copied.digest == pushed.digest
    here, there = registry_of(sender), at(sender, MIRROR)
    assert there.blobs == here.blobs
    assert there.manifests == here.manifests
    assert there.tagged == {**here.tagged, "v1": pushed.digest}


def test_a_second_copy_sends_nothing(sender: MemoryProject) -> None:
    push(sender)
    first, again = copy(sender, V1, MIRROR), copy(sender, V1, MIRROR)
    assert first.blobs == again.skipped > 0
    assert (again.blobs, again.bytes) == (0, 0)


def test_into_a_registry_the_tag_of_the_source_is_taken_where_none_is_named(sender: MemoryProject) -> None:
    push(sender)
    assert copy(sender, V1, parse_reference("mirror.example.com/agents")).reference.tag == "v1"
    assert copy(sender, V1, STICK).reference.tag == "latest"


def test_a_copy_does_not_put_itself_before_what_was_found_there_first(sender: MemoryProject) -> None:
    """A place that vouches for nothing must not decide what a cache serves for a source."""
    push(sender)
    copy(sender, V1, MIRROR)
    registry = registry_of(sender)
    (tag,) = (tag for tag in registry.tags() if tag.startswith("src-"))
    honest = at(sender, MIRROR).manifest(tag)
    push(sender, compression="none")  # the source's artifact is another one now
    assert registry.manifest(tag) != honest
    copy(sender, V1, MIRROR)
    assert at(sender, MIRROR).manifest(tag) == honest


def test_what_is_no_bundle_is_not_copied(sender: MemoryProject) -> None:
    push(sender)
    registry = registry_of(sender)
    registry.put_manifest(part_in(registry), tag="v2")
    with pytest.raises(DigestMismatch, match="not an agent-sync bundle"):
        copy(sender, parse_reference(f"{NAME}:v2"), MIRROR)
    assert at(sender, MIRROR).blobs == {}


def test_a_copy_goes_to_a_tag(sender: MemoryProject) -> None:
    push(sender)
    with pytest.raises(UsageError, match="follows from"):
        copy(sender, V1, parse_reference(f"mirror.example.com/agents@{Digest.of(b'')}"))


# -- what is new -----------------------------------------------------------------------------------------------------

_TWO_SOURCES = """\
version: 1
sources:
- {name: rules, type: local, path: ./rules/}
- {name: more, type: local, path: ./more/}
targets:
- {source: rules, tools: [cursor]}
- {source: more, destination: .more/}
"""


@pytest.fixture
def two(sender: MemoryProject) -> MemoryProject:
    """Two deliveries, at the tags `v1` and `v2`: in the second, one of two sources has changed."""
    project = a_local_project(rules={"a.md": "a\n" * 500})
    project.registries = sender.registries
    project.put("more/x.md", "x\n")
    project.put("agent-sync.yaml", _TWO_SOURCES)
    project.project().update()
    push(project)
    changed(project)
    push(project, parse_reference(f"{NAME}:v2"))
    return project


V2 = parse_reference(f"{NAME}:v2")


@pytest.mark.parametrize("what", ["its lock", "its bundle"])
def test_only_what_the_receiver_lacks_travels(two: MemoryProject, what: str) -> None:
    receiver = a_receiver(two)
    pull(receiver, V1, write_lock=True, allow_unsigned=True)
    since = receiver.lock.encode() if what == "its lock" else V1
    delta = copy(two, V2, DELTA, since=since)
    layers = {part_in(registry_of(two), number, tag="v2").layers[0].digest for number in (0, 1)}
    assert len(layers & at(two, DELTA).blobs.keys()) == 1
    assert delta.skipped > 0
    result = pull(receiver, DELTA, name=NAME, write_lock=True, allow_unsigned=True)
    assert (result.fetched, result.present) == (("rules",), ("more",))
    assert receiver.lock == two.lock


def test_a_receiver_that_lacks_something_after_all_keeps_its_lock(two: MemoryProject) -> None:
    receiver = a_receiver(two)
    receiver.put("agent-sync.lock", "version: 1\n")
    copy(two, V2, DELTA, since=V1)
    with pytest.raises(BytesUnavailable, match="nor in the cache"):
        pull(receiver, DELTA, name=NAME, write_lock=True, allow_unsigned=True)
    assert receiver.lock == "version: 1\n"
    assert receiver.store.recorded == {}


def test_a_mirror_that_lacks_something_after_all_keeps_its_tag(two: MemoryProject) -> None:
    copy(two, V2, DELTA, since=V1)
    mirror = parse_reference("mirror.example.com/agents:latest")
    with pytest.raises(BytesUnavailable, match="is missing"):
        copy(two, DELTA, mirror)
    with pytest.raises(NotFound):
        at(two, mirror).manifest("latest")
    copy(two, V1, MIRROR)
    copied = copy(two, DELTA, mirror)
    assert at(two, mirror).manifest("latest").digest == copied.digest


# -- trusted roots ---------------------------------------------------------------------------------------------------


def test_trusted_roots_travel_in_directories_and_files_and_from_there_on(sender: MemoryProject) -> None:
    sender.layers[POLICY] = b"trust: {root: root.json}"
    sender.layers["/etc/agent-sync/root.json"] = _ROOT
    tag = f"root-{Digest.of(_ROOT).hex}"
    push(sender)
    assert tag not in registry_of(sender).tags()
    push(sender, STICK, name=NAME)
    copy(sender, V1, DELTA)
    for place in (STICK, DELTA):
        assert tag in at(sender, place).tags()
    del sender.layers[POLICY]
    copy(sender, STICK, MIRROR)
    assert tag in at(sender, MIRROR).tags()


def test_a_root_that_is_not_the_pinned_one_is_not_believed(sender: MemoryProject) -> None:
    """Whoever has the file under way can put another one there, under the same tag."""
    push(sender, STICK, name=NAME)
    registry = at(sender, STICK)
    other = json.dumps({"mediaType": json.loads(_ROOT)["mediaType"], "evil": True}).encode()
    sender.layers[POLICY] = b"trust: {root: root.json}"
    sender.layers["/etc/agent-sync/root.json"] = other
    push(sender, STICK, name=NAME)
    (evil,) = (tag for tag in registry.tags() if tag.startswith("root-"))
    registry.tagged[f"root-{Digest.of(_ROOT).hex}"] = registry.tagged[evil]
    receiver = a_receiver(sender)
    rules = "rules: [{bundle: '**', signers: [{identity: a, issuer: b}]}]"
    receiver.layers[POLICY] = f"trust: {{root_sha256: '{Digest.of(_ROOT)}', {rules}}}".encode()
    verdict = receiver.project().bundle_verify(STICK, name=NAME).verdict
    assert not verdict.accepted


# -- inspect ---------------------------------------------------------------------------------------------------------


def test_inspect_shows_sources_digests_sizes_and_signers(sender: MemoryProject) -> None:
    key = a_key()
    pushed = push(sender, key=key)
    inspected = sender.project().bundle_inspect(V1)
    assert (inspected.name, inspected.digest) == (NAME, pushed.digest)
    assert inspected.lock == Digest.of(sender.lock.encode())
    (part,) = inspected.parts
    assert part.title == "rules"
    assert part.pinned_at == "(2 files)"
    assert part.blob in sender.store.blobs
    assert part.unpacked_size == len(sender.store.blobs[part.blob])
    assert part.size == len(registry_of(sender).blobs[part.layer])
    assert inspected.size == part.size + len(sender.lock)
    assert {each.states for each in inspected.attached} == {
        "https://sigstore.dev/cosign/sign/v1",
        "https://slsa.dev/provenance/v1",
        "https://cyclonedx.org/bom",
    }
    assert {each.claims for each in inspected.attached} == {f"key {key.public.hint}"}


def test_inspect_shows_what_nobody_can_read(sender: MemoryProject) -> None:
    """Junk beside a bundle must not keep anybody from looking at it."""
    push(sender, key=a_key())
    registry = registry_of(sender)
    for digest, content in list(registry.blobs.items()):
        if b"dsseEnvelope" in content:
            del registry.blobs[digest]
    claims = {each.claims for each in sender.project().bundle_inspect(V1).attached}
    assert claims == {"unknown: not found"}
