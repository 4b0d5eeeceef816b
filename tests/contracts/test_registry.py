"""What every `Registry` promises (registry/protocol.py): memory, a layout, an archive, and the real ones of PLACES."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, NotFound
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, SIGSTORE_BUNDLE, Descriptor, Index, Manifest, read_manifest
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.referrers import attach, referrers
from tests.builders.artifacts import (
    SOME_TYPE,
    a_manifest,
    a_signature,
    blob_of,
    described,
    put_artifact,
    put_blob,
    put_index,
)
from tests.builders.places import PLACES, SomePlace

ABSENT = Digest.of(b"never put")
LARGE = hashlib.sha256(b"seed").digest() * 100_000  # 3.2 MB: several pieces


class Broken(Exception):
    """What a body or a writer may raise."""


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SomePlace]:
    with PLACES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def registry(place: SomePlace) -> Iterator[Registry]:
    with place.open() as opened:
        yield opened


def test_a_place_with_nothing_in_it_answers_every_question(registry: Registry) -> None:
    assert registry.name
    assert registry.tags() == ()
    assert registry.blob_size(ABSENT) is None
    assert registry.referrers(ABSENT) == ()
    for wanted in (ABSENT, "v1"):
        with pytest.raises(NotFound):
            registry.manifest(wanted)
    with pytest.raises(NotFound):
        blob_of(registry, described(b"never put"))


@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "short", "large"])
def test_a_blob_comes_back_as_it_was_put(registry: Registry, content: bytes) -> None:
    blob = put_blob(registry, content)
    assert registry.blob_size(blob.digest) == len(content)
    assert blob_of(registry, blob) == content


def test_a_manifest_comes_back_byte_for_byte_by_digest_and_by_tag(registry: Registry) -> None:
    manifest = put_artifact(registry, b"one", tag="v1")
    by_digest, by_tag = registry.manifest(manifest.digest), registry.manifest("v1")
    assert by_digest == by_tag == manifest
    assert isinstance(by_tag, Manifest)
    assert by_tag.artifact_type == SOME_TYPE
    assert by_tag.layers == (described(b"one"),)


def test_an_index_comes_back_byte_for_byte(registry: Registry) -> None:
    children = [put_artifact(registry, b"one"), put_artifact(registry, b"two", b"three")]
    index = put_index(registry, *children, tag="v1")
    found = registry.manifest("v1")
    assert isinstance(found, Index)
    assert found == index == registry.manifest(index.digest)
    assert [registry.manifest(child.digest) for child in found.manifests] == children


def test_bytes_that_we_would_spell_otherwise_stay_as_they_are(registry: Registry) -> None:
    ours = put_artifact(registry, b"one")
    theirs = read_manifest(b"\n " + ours.content.replace(b",", b" ,\n"), None)
    registry.put_manifest(theirs, tag="v1")
    assert registry.manifest("v1").content == theirs.content != ours.content


def test_what_is_put_is_there_when_the_place_is_opened_again(place: SomePlace) -> None:
    with place.open() as registry:
        manifest = put_artifact(registry, b"one", LARGE, tag="v1")
    with place.open() as registry:
        put_artifact(registry, b"two", tag="v2")
    with place.open() as registry:
        assert registry.tags() == ("v1", "v2")
        assert registry.manifest("v1") == manifest
        assert [blob_of(registry, layer) for layer in manifest.layers] == [b"one", LARGE]


def test_tags_are_sorted_and_name_what_they_were_last_given(registry: Registry) -> None:
    first = put_artifact(registry, b"one", tag="v2")
    second = put_artifact(registry, b"two", tag="v10")
    registry.put_manifest(first, tag="a")
    registry.put_manifest(second, tag="v2")
    assert registry.tags() == ("a", "v10", "v2")
    assert [registry.manifest(tag) for tag in registry.tags()] == [first, second, second]


def test_a_manifest_without_a_tag_is_under_no_tag(registry: Registry) -> None:
    manifest = put_artifact(registry, b"one")
    assert registry.tags() == ()
    assert registry.manifest(manifest.digest) == manifest


def test_a_digest_that_is_given_as_text_is_taken_for_a_tag(registry: Registry) -> None:
    manifest = put_artifact(registry, b"one", tag="v1")
    assert registry.manifest("v1") == manifest
    with pytest.raises(NotFound):
        registry.manifest(manifest.digest.hex)


def test_the_body_of_a_blob_that_is_there_is_not_asked_for(registry: Registry) -> None:
    blob = put_blob(registry, b"one")

    def body() -> BinaryIO:
        raise Broken

    registry.put_blob(blob, body)
    assert blob_of(registry, blob) == b"one"


@pytest.mark.parametrize("body", [b"two", b"on", b"onee", b""], ids=["other", "short", "long", "empty"])
def test_a_body_that_is_not_what_was_said_is_refused_and_leaves_nothing(registry: Registry, body: bytes) -> None:
    blob = described(b"one")
    with pytest.raises(DigestMismatch, match=blob.digest):
        registry.put_blob(blob, lambda: BytesIO(body))
    assert registry.blob_size(blob.digest) is None
    put_blob(registry, b"one")
    assert blob_of(registry, blob) == b"one"


def test_what_a_body_raises_comes_out_and_leaves_nothing(registry: Registry) -> None:
    class Failing(BytesIO):
        def read(self, *_: object) -> bytes:
            raise Broken

        readinto = read  # type: ignore[assignment]

    with pytest.raises(Broken):
        registry.put_blob(described(b"one"), lambda: Failing(b"one"))
    assert registry.blob_size(Digest.of(b"one")) is None


def test_what_a_writer_raises_comes_out_and_the_next_read_works(registry: Registry) -> None:
    blob = put_blob(registry, LARGE)

    def full(_: bytes) -> None:
        raise Broken

    with pytest.raises(Broken):
        registry.get_blob(blob, full)
    assert blob_of(registry, blob) == LARGE


@pytest.mark.parametrize("said", [len(LARGE) - 1, len(LARGE) + 1, 0], ids=["less", "more", "none"])
def test_a_blob_of_another_size_than_its_descriptor_says_is_refused(registry: Registry, said: int) -> None:
    blob = put_blob(registry, LARGE)
    taken = bytearray()
    with pytest.raises(DigestMismatch, match=blob.digest):
        registry.get_blob(Descriptor(blob.media_type, blob.digest, said), taken.extend)
    assert len(taken) <= said


def test_a_blob_whose_bytes_have_changed_is_refused(place: SomePlace) -> None:
    with place.open() as registry:
        blob = put_blob(registry, b"one")
        put_artifact(registry, b"one", tag="v1")
    place.damage(blob.digest, b"two")
    with place.open() as registry, pytest.raises(DigestMismatch, match=blob.digest):
        blob_of(registry, blob)


def test_a_manifest_whose_bytes_have_changed_is_refused(place: SomePlace) -> None:
    with place.open() as registry:
        manifest = put_artifact(registry, b"one", tag="v1")
    place.damage(manifest.digest, manifest.content.replace(b"rules", b"mules"))
    with place.open() as registry, pytest.raises(DigestMismatch, match=manifest.digest):
        registry.manifest(manifest.digest)


def test_a_referrer_is_listed_under_its_subject_alone(place: SomePlace) -> None:
    with place.open() as registry:
        subject, other = put_artifact(registry, b"one", tag="v1"), put_artifact(registry, b"two", tag="v2")
        signature = a_signature(registry, subject)
        assert registry.put_manifest(signature) is place.lists_referrers
    with place.open() as registry:
        listed = registry.referrers(subject.digest)
        expected = [(signature.digest, len(signature.content))] if place.lists_referrers else []
        assert [(each.digest, each.size) for each in listed] == expected
        assert {each.artifact_type for each in listed} <= {SIGSTORE_BUNDLE, None}
        assert registry.referrers(other.digest) == ()
        assert registry.manifest(signature.digest) == signature


def test_a_manifest_without_a_subject_needs_no_listing(registry: Registry) -> None:
    put_blob(registry, EMPTY_CONTENT, EMPTY.media_type)
    assert registry.put_manifest(a_manifest()) is True


def test_what_is_attached_is_found_wherever_it_lies(place: SomePlace) -> None:
    with place.open() as registry:
        subject = put_artifact(registry, b"one", tag="v1")
        signatures = [a_signature(registry, subject, b'{"number": %d}' % number) for number in range(5)]
        for signature in signatures:
            attach(registry, signature)
            attach(registry, signature)
    with place.open() as registry:
        found = referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE)
        assert {each.digest for each in found} == {each.digest for each in signatures}
        assert referrers(registry, subject.digest, artifact_type=SOME_TYPE) == ()
        assert set(referrers(registry, subject.digest, artifact_type=None)) == set(found)


def test_many_threads_put_and_get_at_once(registry: Registry) -> None:
    contents = [hashlib.sha256(b"%d" % number).digest() * 5_000 for number in range(24)]
    put_blob(registry, EMPTY_CONTENT, EMPTY.media_type)

    def there_and_back(number: int) -> bytes:
        manifest = put_artifact(registry, contents[number], tag=f"v{number}")
        assert registry.manifest(f"v{number}") == manifest
        return blob_of(registry, manifest.layers[0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there_and_back, range(len(contents)))) == contents
    assert registry.tags() == tuple(sorted(f"v{number}" for number in range(len(contents))))


def test_several_threads_put_one_blob(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        blobs = list(pool.map(lambda _: put_blob(registry, LARGE), range(8)))
    assert blob_of(registry, blobs[0]) == LARGE
