"""Copying artifacts between any two places: everything that is reached, byte for byte, children first, the tag last."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, NotFound
from agent_sync_oci.manifest import EMPTY, SIGSTORE_BUNDLE, Descriptor, Index, Manifest
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import OpenBody, Write
from agent_sync_oci.transfer.copy import TransferResult, copy
from agent_sync_oci.transfer.referrers import attach, referrers
from tests.builders.artifacts import (
    SOME_TYPE,
    a_manifest,
    a_signature,
    blob_of,
    put_artifact,
    put_blob,
    put_index,
)
from tests.builders.places import PLACES, SomePlace

LARGE = hashlib.sha256(b"seed").digest() * 100_000


class Cancelled(Exception):
    """What `check` may raise."""


class NotingRegistry(MemoryRegistry):
    """Notes what is put, in order; a manifest only after all that it names, as real registries want it."""

    def __init__(self, *, lists_referrers: bool = True) -> None:
        super().__init__(lists_referrers=lists_referrers)
        self.noted: list[tuple[str, Digest, str | None]] = []
        self.opened: list[Digest] = []

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        if isinstance(manifest, Manifest):
            assert {each.digest for each in (manifest.config, *manifest.layers)} <= self.blobs.keys()
        elif tag is None or not tag.startswith("sha256-"):
            assert {each.digest for each in manifest.manifests} <= self.manifests.keys()
        self.noted.append(("manifest", manifest.digest, tag))
        return super().put_manifest(manifest, tag=tag)

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        self.noted.append(("blob", blob.digest, mount_from))
        super().put_blob(blob, open_body, mount_from=mount_from)


def a_source(*, lists_referrers: bool = True) -> tuple[MemoryRegistry, Index]:
    """An index of three artifacts, of which two share a layer; the index and one artifact are signed."""
    source = MemoryRegistry(lists_referrers=lists_referrers)
    children = [
        put_artifact(source, b"one", LARGE),
        put_artifact(source, b"one", b"two"),
        put_artifact(source, b""),
    ]
    index = put_index(source, *children, tag="v1")
    attach(source, a_signature(source, index, b'{"of": "the index"}'))
    attach(source, a_signature(source, children[1], b'{"of": "a child"}'))
    return source, index


PAIRS = dict.fromkeys([*((name, "layout") for name in PLACES), *(("layout", name) for name in PLACES)])


@pytest.fixture(params=PAIRS, ids=" to ".join)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SomePlace, SomePlace]]:
    one, other = request.param
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with PLACES[one](tmp_path / "one") as source, PLACES[other](tmp_path / "other") as target:
        yield source, target


def test_everything_arrives_byte_for_byte_from_any_place_in_any_place(both: tuple[SomePlace, SomePlace]) -> None:
    origin, index = a_source()
    with both[0].open() as source:
        copy(origin, source, index.digest, with_referrers=True, tag="v1")
    with both[0].open() as source, both[1].open() as target:
        copied = copy(source, target, index.digest, with_referrers=True, tag="v2")
    assert copied == TransferResult(blobs=7, bytes=sum(map(len, origin.blobs.values())), skipped=0)
    with both[1].open() as target:
        assert target.manifest("v2") == index
        for child in index.manifests:
            manifest = target.manifest(child.digest)
            assert manifest == origin.manifest(child.digest)
            assert isinstance(manifest, Manifest)
            assert [blob_of(target, layer) for layer in manifest.layers]
        for signed in (index.digest, index.manifests[1].digest):
            (signature,) = referrers(target, signed, artifact_type=SIGSTORE_BUNDLE)
            assert origin.manifests[signature.digest] == signature
            assert blob_of(target, signature.layers[0])


def test_a_second_copy_sends_nothing() -> None:
    source, index = a_source()
    target = NotingRegistry()
    first = copy(source, target, index.digest, with_referrers=True)
    second = copy(source, target, index.digest, with_referrers=True)
    assert (second.blobs, second.bytes, second.skipped) == (0, 0, first.blobs)


def test_blobs_go_first_manifests_after_what_they_name_and_the_tag_last() -> None:
    for lists_referrers in (True, False):
        source, index = a_source()
        target = NotingRegistry(lists_referrers=lists_referrers)
        copy(source, target, index.digest, with_referrers=True, tag="v1")
        kinds = [kind for kind, _, _ in target.noted]
        assert kinds == sorted(kinds), "a blob after a manifest"
        digests = [digest for _, digest, _ in target.noted]
        signatures = [each.digest for each in referrers(source, index.digest, artifact_type=SIGSTORE_BUNDLE)]
        assert max(digests.index(child.digest) for child in index.manifests) < digests.index(index.digest)
        assert digests.index(index.digest) < digests.index(signatures[0])
        assert target.noted[-1] == ("manifest", index.digest, "v1")


def test_without_referrers_nothing_that_was_attached_goes() -> None:
    source, index = a_source()
    target = MemoryRegistry()
    copy(source, target, index.digest, with_referrers=False)
    assert target.referrers(index.digest) == ()
    assert len(target.manifests) == 4


def test_what_was_attached_to_what_was_attached_goes_as_well() -> None:
    source, index = a_source()
    (signature,) = referrers(source, index.digest, artifact_type=SIGSTORE_BUNDLE)
    note = a_manifest(put_blob(source, b"a note on the signature"), subject=signature.descriptor)
    attach(source, note)
    target = MemoryRegistry()
    copy(source, target, index.digest, with_referrers=True)
    assert referrers(target, signature.digest, artifact_type=SOME_TYPE) == (note,)


def test_blobs_that_the_receiver_has_are_left_out_and_manifests_are_not() -> None:
    source, index = a_source()
    target = MemoryRegistry()
    copied = copy(source, target, index.digest, with_referrers=True, have={Digest.of(LARGE), Digest.of(b"two")})
    assert Digest.of(LARGE) not in target.blobs
    assert copied.skipped == 2
    assert copied.bytes < 1_000
    assert target.manifests.keys() == source.manifests.keys()


def test_a_single_manifest_is_copied_as_well() -> None:
    source = MemoryRegistry()
    manifest = put_artifact(source, b"one")
    target = MemoryRegistry()
    assert copy(source, target, manifest.digest, with_referrers=False).blobs == 2
    assert target.manifest(manifest.digest) == manifest


def test_where_blobs_may_be_mounted_from_is_said_to_the_target() -> None:
    source, index = a_source()
    target = NotingRegistry()
    copy(source, target, index.digest, with_referrers=False, mount_from="team/other")
    assert {mount_from for kind, _, mount_from in target.noted if kind == "blob"} == {"team/other"}


def test_what_an_index_lists_beside_manifests_is_a_blob() -> None:
    source = MemoryRegistry()
    blob = put_blob(source, b"notes", "text/plain")
    index = Index.make(artifact_type=SOME_TYPE, manifests=[blob])
    source.put_manifest(index)
    target = MemoryRegistry()
    copy(source, target, index.digest, with_referrers=False)
    assert blob_of(target, blob) == b"notes"


@pytest.mark.parametrize("missing", ["root", "child", "blob"])
def test_what_is_missing_is_an_error_and_nothing_is_tagged(missing: str) -> None:
    source, index = a_source()
    if missing == "blob":
        del source.blobs[Digest.of(b"two")]
    else:
        del source.manifests[index.digest if missing == "root" else index.manifests[0].digest]
    target = MemoryRegistry()
    with pytest.raises(NotFound):
        copy(source, target, index.digest, with_referrers=True, tag="v1")
    assert target.tags() == ()
    assert index.digest not in target.manifests


def test_a_blob_that_lies_is_an_error_and_nothing_is_tagged() -> None:
    source, index = a_source()
    source.blobs[Digest.of(LARGE)] = LARGE[:-1] + b"x"
    target = MemoryRegistry()
    with pytest.raises(DigestMismatch):
        copy(source, target, index.digest, with_referrers=True, tag="v1")
    assert target.tags() == ()
    assert Digest.of(LARGE) not in target.blobs


@pytest.mark.parametrize("change", [{"size": 7}, {"media_type": "application/vnd.oci.image.index.v1+json"}], ids=str)
def test_a_child_that_is_not_what_the_index_says_is_refused(change: dict[str, int | str]) -> None:
    source = MemoryRegistry()
    child = put_artifact(source, b"one").descriptor
    lying = {"media_type": child.media_type, "digest": child.digest, "size": child.size, **change}
    index = Index.make(artifact_type=SOME_TYPE, manifests=[Descriptor(**lying)])  # type: ignore[arg-type]
    source.put_manifest(index)
    with pytest.raises(DigestMismatch, match="the index that lists it says"):
        copy(source, MemoryRegistry(), index.digest, with_referrers=False)


def test_an_index_that_reaches_too_much_is_refused_before_it_is_read() -> None:
    source = MemoryRegistry()
    large = [
        Descriptor(EMPTY.media_type.replace("empty", "image.manifest"), Digest.of(b"%d" % n), 1 << 22)
        for n in range(20)
    ]
    index = Index.make(artifact_type=SOME_TYPE, manifests=large)
    source.put_manifest(index)
    with pytest.raises(LimitExceeded):
        copy(source, MemoryRegistry(), index.digest, with_referrers=False)


def test_a_junk_referrer_keeps_nothing_from_being_copied() -> None:
    source = MemoryRegistry(lists_referrers=False)
    subject = put_artifact(source, b"one")
    good = a_signature(source, subject)
    attach(source, good)
    elsewhere = put_artifact(source, b"two")
    tag = f"sha256-{subject.digest.hex}"
    listed = source.manifest(tag)
    assert isinstance(listed, Index)
    junk = [
        elsewhere.descriptor,
        Descriptor(elsewhere.media_type, Digest.of(b"nothing"), 7),
        Descriptor("text/plain", Digest.of(b"nothing"), 7),
    ]
    source.put_manifest(Index.make(artifact_type=None, manifests=[*junk, *listed.manifests]), tag=tag)
    target = MemoryRegistry()
    copy(source, target, subject.digest, with_referrers=True)
    assert referrers(target, subject.digest, artifact_type=None) == (good,)
    assert elsewhere.digest not in target.manifests


def test_who_cancels_is_heard_between_pieces_and_no_thread_stays() -> None:
    source, index = a_source()
    target = MemoryRegistry()

    def check() -> None:
        raise Cancelled

    before = threading.active_count()
    with pytest.raises(Cancelled):
        copy(source, target, index.digest, with_referrers=True, tag="v1", check=check)
    assert target.tags() == ()
    assert threading.active_count() == before


def test_memory_does_not_grow_with_the_blob() -> None:
    """At most a megabyte is on its way, however slow the target reads."""
    waiting = threading.Event()
    ahead = 0

    class Endless(MemoryRegistry):
        def get_blob(self, blob: Descriptor, write: Write) -> None:
            nonlocal ahead
            for _ in range(blob.size // 65_536):
                ahead += 65_536
                write(bytes(65_536))

    class Slow(MemoryRegistry):
        def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
            del mount_from
            if blob.size < 1_000:
                return
            with open_body() as body:
                waiting.wait(0.2)
                assert ahead <= 2 << 20
                while body.read(1 << 20):
                    pass

    source = Endless()
    blob = Descriptor("a/b", Digest.of(b"x"), 64 << 20)
    manifest = a_manifest(blob)
    source.put_manifest(manifest)
    copy(source, Slow(), manifest.digest, with_referrers=False)
    assert ahead == 64 << 20
