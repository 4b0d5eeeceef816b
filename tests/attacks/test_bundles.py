"""Bundles whose digests all agree with each other, and that lie all the same (hostile-input: Archives, Registries).

Whoever may push to a place can put any of these there, and name it with a digest: only the lock knows better.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard

from agent_sync.errors import AgentSyncError, BytesUnavailable, DigestMismatch, LimitExceeded, LockError, UnsafePath
from agent_sync.tree import RelPath
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, IMAGE_INDEX, Descriptor, Index, Manifest
from agent_sync_oci.registry.memory import MemoryRegistry
from tests.builders.bundles import (
    NAME,
    V1,
    a_receiver,
    a_sender,
    index_in,
    listed,
    part_in,
    pull,
    push,
    registry_of,
)
from tests.builders.projects import MemoryProject

LAYER = "application/vnd.agent-sync.source.layer.v1"


@pytest.fixture
def sender() -> MemoryProject:
    sender = a_sender()
    push(sender)
    return sender


@pytest.fixture
def receiver(sender: MemoryProject) -> MemoryProject:
    """With a configuration, and without lock and source: it takes what it gets."""
    receiver = a_receiver(sender)
    receiver.directory.remove(RelPath("agent-sync.lock"))
    for path in [path for path in receiver.files if path.startswith("rules/")]:
        receiver.directory.remove(RelPath(path))
    return receiver


def refused(receiver: MemoryProject, *families: type[AgentSyncError], match: str = ".") -> None:
    """Pulling ends in one of these; no lock is there, and nothing in the store that was not looked at."""
    with pytest.raises(families, match=match) as caught:
        pull(receiver, write_lock=True, allow_unsigned=True)
    assert caught.value.remedy
    assert str(caught.value).isprintable()
    assert "agent-sync.lock" not in receiver.files
    assert receiver.store.recorded == {}


def put(registry: MemoryRegistry, content: bytes, media_type: str) -> Descriptor:
    """A blob that is there."""
    digest = Digest.of(content)
    registry.blobs[digest] = content
    return Descriptor(media_type, digest, len(content))


def with_layer(registry: MemoryRegistry, *layers: Descriptor, artifact_type: str | None = None) -> None:
    """The bundle at the tag, its one part with other layers."""
    part = part_in(registry)
    with_part(
        registry, Manifest.make(artifact_type=artifact_type or part.artifact_type, config=part.config, layers=layers)
    )


def with_part(registry: MemoryRegistry, part: Manifest) -> None:
    """The bundle at the tag, with another artifact as its one part."""
    registry.put_manifest(part)
    index = index_in(registry)
    with_children(registry, index.manifests[0], listed(part, index.manifests[1]))


def with_children(registry: MemoryRegistry, *children: Descriptor, **others: object) -> None:
    """Another index at the tag; by default it is a bundle in everything else."""
    index = index_in(registry)
    made = {"artifact_type": index.artifact_type, "annotations": index.annotations, **others}
    registry.put_manifest(Index.make(manifests=children, **made), tag="v1")  # type: ignore[arg-type]  # as the test says


def with_lock(registry: MemoryRegistry, lock: bytes, **others: object) -> None:
    """The bundle at the tag, with another lockfile."""
    index = index_in(registry)
    before = registry.manifest(index.manifests[0].digest)
    assert isinstance(before, Manifest)
    config = put(registry, lock, before.config.media_type)
    made = {"artifact_type": before.artifact_type, "config": config, "layers": (EMPTY,), **others}
    manifest = Manifest.make(**made)  # type: ignore[arg-type]  # as the test says
    registry.put_manifest(manifest)
    with_children(registry, listed(manifest, index.manifests[0]), *index.manifests[1:])


# -- layers ----------------------------------------------------------------------------------------------------------


def a_bomb() -> bytes:
    """256 MiB of nothing in some kilobytes; it says nothing of its length."""
    target = io.BytesIO()
    with zstandard.ZstdCompressor(level=19, write_content_size=False).stream_writer(target, closefd=False) as writer:
        for _ in range(256):
            writer.write(bytes(1 << 20))
    return target.getvalue()


def a_frame(content: bytes, **how: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, **how)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


def tar_of(sender: MemoryProject) -> bytes:
    return next(content for content in sender.store.blobs.values() if b"ustar" in content)


_BAD_LAYERS: dict[str, tuple[Callable[[bytes], bytes], type[AgentSyncError], str]] = {
    "a bomb": (lambda _: a_bomb(), LimitExceeded, "more than the expected"),
    "no zstd at all": (lambda _: b"not zstd", DigestMismatch, "not zstd"),
    "a frame that is cut": (lambda tar: a_frame(tar)[:-5], DigestMismatch, "."),
    "a wrong checksum": (
        lambda tar: (frame := a_frame(tar, write_checksum=1))[:-1] + bytes([frame[-1] ^ 1]),
        DigestMismatch,
        "not zstd",
    ),
    "nothing": (lambda _: b"", DigestMismatch, "."),
    "an empty frame": (lambda _: a_frame(b""), DigestMismatch, "."),
    "another tree": (
        lambda tar: a_frame(tar.replace(b"a\na\n", b"b\nb\n")),
        DigestMismatch,
        'file ".*" has the sha256',
    ),
    "the tree, and more": (lambda tar: a_frame(tar + bytes(512)), LimitExceeded, "more than the expected"),
    "the tree, and another frame": (
        lambda tar: a_frame(tar) + a_frame(bytes(512)),
        LimitExceeded,
        "more than the expected",
    ),
    "the tree, and rubbish": (lambda tar: a_frame(tar) + b"rubbish", DigestMismatch, "not zstd"),
    "a dictionary that nobody has": (lambda _: bytes.fromhex("28b52ffd2701000000") + bytes(20), DigestMismatch, "."),
}


@pytest.mark.parametrize("bad", _BAD_LAYERS)
def test_a_compressed_layer_that_is_not_the_locked_tree_is_refused(
    sender: MemoryProject, receiver: MemoryProject, bad: str
) -> None:
    make, family, match = _BAD_LAYERS[bad]
    registry = registry_of(sender)
    with_layer(registry, put(registry, make(tar_of(sender)), f"{LAYER}.tar+zstd"))
    refused(receiver, family, match=match)
    assert receiver.store.blobs == {}


def test_a_window_of_more_than_8_mib_is_not_unfolded(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    content = b"".join(bytes([number % 251]) * 1000 for number in range(40_000))
    frame = a_frame(content, window_log=25)
    lock = receiver_lock_saying(sender, size=len(content))
    with_lock(registry, lock)
    with_layer(registry, put(registry, frame, f"{LAYER}.tar+zstd"))
    refused(receiver, LimitExceeded, match="window")


@pytest.mark.parametrize(
    ("media_type", "match"),
    [
        (LAYER, "is not an artifact"),  # what a url source has: bytes that nobody unpacks
        ("application/vnd.oci.image.layer.v1.tar", "is not an artifact"),
        ("application/vnd.oci.image.layer.v1.tar+gzip", "is not an artifact"),
        (f"{LAYER}.tar+gzip", "is not an artifact"),
        (f"{LAYER}.tar", "sha256"),  # it is compressed
    ],
)
def test_a_layer_of_another_type_is_refused(
    sender: MemoryProject, receiver: MemoryProject, media_type: str, match: str
) -> None:
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    with_layer(registry, replace(layer, media_type=media_type))
    refused(receiver, DigestMismatch, match=match)


@pytest.mark.parametrize("count", [0, 2])
def test_one_layer_it_must_be(sender: MemoryProject, receiver: MemoryProject, count: int) -> None:
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    with_layer(registry, *[layer] * count)
    refused(receiver, DigestMismatch, match="is not an artifact")


def test_a_part_that_is_something_else_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    with_layer(registry, *part_in(registry).layers, artifact_type="application/vnd.example.app")
    refused(receiver, DigestMismatch, match="is not an artifact")


@pytest.mark.parametrize("size", [10**12, 2**63 - 1])
def test_a_layer_that_says_it_is_huge_is_not_fetched(sender: MemoryProject, receiver: MemoryProject, size: int) -> None:
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    with_layer(registry, replace(layer, size=size))
    refused(receiver, LimitExceeded, match="bytes of content")


@pytest.mark.parametrize("less", [1, -1])
def test_a_layer_of_another_length_than_it_says_is_refused(
    sender: MemoryProject, receiver: MemoryProject, less: int
) -> None:
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    with_layer(registry, replace(layer, size=layer.size - less))
    refused(receiver, DigestMismatch)


def test_a_layer_that_is_not_there_is_no_whole_bundle(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    (layer,) = part_in(registry).layers
    del registry.blobs[layer.digest]
    refused(receiver, BytesUnavailable, match="nor in the cache")


# -- the index -------------------------------------------------------------------------------------------------------


def test_what_is_no_bundle_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    index = index_in(registry)
    with_children(registry, *index.manifests, artifact_type="application/vnd.example.app")
    refused(receiver, DigestMismatch, match="not an agent-sync bundle")
    registry.put_manifest(part_in_any(registry), tag="v1")
    refused(receiver, DigestMismatch, match="not an agent-sync bundle")


def part_in_any(registry: MemoryRegistry) -> Manifest:
    return next(each for each in registry.manifests.values() if isinstance(each, Manifest) and each.layers != (EMPTY,))


@pytest.mark.parametrize(
    "annotations",
    [{}, {"dev.agent-sync.name": ""}, {"dev.agent-sync.name": "a\x1b[2Jb"}, {"dev.agent-sync.name": "x" * 2000}],
)
def test_a_bundle_without_a_name_that_can_be_one_is_refused(
    sender: MemoryProject, receiver: MemoryProject, annotations: dict[str, str]
) -> None:
    registry = registry_of(sender)
    with_children(registry, *index_in(registry).manifests, annotations=annotations)
    refused(receiver, DigestMismatch, match="no valid name")


def test_a_bundle_without_children_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    with_children(registry_of(sender))
    refused(receiver, DigestMismatch, match="lists no lock file")


@pytest.mark.parametrize("which", ["none", "twice", "under another title", "without a title"])
def test_the_index_names_exactly_what_the_lock_needs(
    sender: MemoryProject, receiver: MemoryProject, which: str
) -> None:
    registry = registry_of(sender)
    lockfile, part = index_in(registry).manifests
    parts = {
        "none": (),
        "twice": (part, part),
        "under another title": (replace(part, annotations={"org.opencontainers.image.title": "ruels"}),),
        "without a title": (replace(part, annotations={}),),
    }[which]
    with_children(registry, lockfile, *parts)
    refused(receiver, DigestMismatch, match="other parts")


@pytest.mark.parametrize("which", [0, 1])
def test_an_index_that_lies_about_a_child_is_refused(
    sender: MemoryProject, receiver: MemoryProject, which: int
) -> None:
    registry = registry_of(sender)
    honest = index_in(registry).manifests
    for lie in (replace(honest[which], size=honest[which].size + 1), replace(honest[which], media_type=IMAGE_INDEX)):
        with_children(registry, *[lie if number == which else each for number, each in enumerate(honest)])
        refused(receiver, DigestMismatch)


def test_a_bundle_in_a_bundle_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    index = index_in(registry)
    lockfile, part = index.manifests
    plain = index.descriptor
    inner = Descriptor(part.media_type, plain.digest, plain.size, part.annotations)  # it says that it is a manifest
    with_children(registry, lockfile, inner)
    refused(receiver, DigestMismatch)


# -- the lock inside -------------------------------------------------------------------------------------------------


def receiver_lock_saying(sender: MemoryProject, *, size: int) -> bytes:
    """The sender's lock, in which the source has another length."""
    lines = sender.lock.split("\n")
    return "\n".join(f"      size: {size}" if line.strip().startswith("size:") else line for line in lines).encode()


@pytest.mark.parametrize(
    ("lock", "families"),
    [
        (b"", (LockError,)),
        (b"not: [a lock", (LockError,)),
        (b"version: 99\nsources: []\n", (LockError,)),
        (b"version: 1\nsources: []\nversion: 1\n", (LockError,)),
        (b"\x00\xff", (LockError,)),
        (b"version: 1\nsources:\n<<<<<<< ours\n", (LockError,)),
    ],
)
def test_a_lock_inside_that_is_bad_is_refused_as_any_other(
    sender: MemoryProject, receiver: MemoryProject, lock: bytes, families: tuple[type[AgentSyncError], ...]
) -> None:
    with_lock(registry_of(sender), lock)
    refused(receiver, *families)


@pytest.mark.parametrize("path", ["../x.md", "/etc/x.md", ".git/hooks/x", "a\\\\b.md", "con.md"])
def test_a_path_inside_that_is_not_allowed_is_refused(
    sender: MemoryProject, receiver: MemoryProject, path: str
) -> None:
    lock = sender.lock.replace("a.md:", f"{json.dumps(path)}:")
    with_lock(registry_of(sender), lock.encode())
    refused(receiver, UnsafePath, LockError)


def test_a_lock_inside_with_a_digest_that_is_none_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    """It can be read, as the specification's own example can; what cannot be compared is not taken."""
    orphan = '  .cursor/rules/old.md:\n    sha256: "1bfb3a65"\n    source: own\n'
    with_lock(registry_of(sender), f"{sender.lock.rstrip()}\norphans:\n{orphan}".encode())
    refused(receiver, LockError, match="orphans")


def test_a_file_that_the_blob_does_not_have_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Blob and lock are from the same hand, and do not fit: the tree is not what the lock says of it."""
    lock = sender.lock.replace(Digest.of(b"b\n").hex, Digest.of(b"c\n").hex)
    with_lock(registry_of(sender), lock.encode())
    refused(receiver, LockError, match="disagree")


def test_a_nar_hash_that_is_another_trees_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    before = next(line for line in sender.lock.split("\n") if "narHash" in line)
    lock = sender.lock.replace(before, "      narHash: sha256-" + "A" * 43 + "=")
    with_lock(registry_of(sender), lock.encode())
    refused(receiver, LockError, match="narHash")


def test_a_length_that_nobody_vouches_for_is_bounded(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Or else an unsigned lock could say that a few kilobytes unfold to all of the disk."""
    with_lock(registry_of(sender), receiver_lock_saying(sender, size=10**15))
    refused(receiver, LimitExceeded, match="max_source_size")


def test_a_lockfile_artifact_that_says_more_is_refused(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    with_lock(registry, sender.lock.encode(), annotations={"a": "b"})
    refused(receiver, DigestMismatch, match="not the one that this lock file gives")


def test_a_lockfile_that_says_it_is_huge_is_not_fetched(sender: MemoryProject, receiver: MemoryProject) -> None:
    registry = registry_of(sender)
    before = registry.manifest(index_in(registry).manifests[0].digest)
    assert isinstance(before, Manifest)
    with_lock(registry, sender.lock.encode(), config=replace(before.config, size=2**40))
    refused(receiver, LimitExceeded, match="at most")


def test_another_lock_than_the_own_one_is_not_taken_for_it(sender: MemoryProject, receiver: MemoryProject) -> None:
    """The own lock vouches for a bundle only byte for byte."""
    receiver.put("agent-sync.lock", sender.lock)
    with_lock(registry_of(sender), sender.lock.encode() + b"# more\n")
    with pytest.raises(AgentSyncError, match="nothing else makes this bundle trusted"):
        pull(receiver)


def test_the_attacks_begin_with_a_bundle_that_is_taken(sender: MemoryProject, receiver: MemoryProject) -> None:
    """Or else they would prove nothing."""
    with_layer(registry_of(sender), *part_in(registry_of(sender)).layers)
    pull(receiver, V1, write_lock=True, allow_unsigned=True)
    assert receiver.lock == sender.lock
    assert NAME in str(V1)
