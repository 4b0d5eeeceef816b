"""Manifests and indexes: what is made can be read, what is read keeps its bytes, the same is always spelt the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch
from agent_sync_oci.manifest import (
    EMPTY,
    EMPTY_CONFIG,
    EMPTY_CONTENT,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    read_descriptor,
    read_manifest,
)
from agent_sync_oci.strict_json import canonical_json, read_json
from tests.builders.artifacts import SOME_TYPE, a_manifest, described

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_ANNOTATIONS = st.dictionaries(_TEXT, _TEXT, max_size=4)
_TYPES = st.from_regex(r"[a-z]{1,8}/[a-z0-9.+-]{1,20}", fullmatch=True).filter(
    lambda text: text[text.index("/") + 1].isalnum()
)
_DESCRIPTORS = st.builds(
    Descriptor,
    _TYPES,
    st.binary(max_size=3).map(Digest.of),
    st.integers(0, 2**63 - 1),
    _ANNOTATIONS,
    st.none() | _TYPES,
)


@given(st.none() | _TYPES, _DESCRIPTORS, st.lists(_DESCRIPTORS, max_size=3), st.none() | _DESCRIPTORS, _ANNOTATIONS)
def test_a_manifest_that_is_made_reads_back_as_it_was_made(
    artifact_type: str | None,
    config: Descriptor,
    layers: list[Descriptor],
    subject: Descriptor | None,
    annotations: dict[str, str],
) -> None:
    made = Manifest.make(
        artifact_type=artifact_type, config=config, layers=layers, subject=subject, annotations=annotations
    )
    read = read_manifest(made.content, IMAGE_MANIFEST)
    assert isinstance(read, Manifest)
    for each in (made, read):
        assert (each.artifact_type, each.config, each.layers) == (artifact_type, config, tuple(layers))
        assert (each.subject, each.annotations) == (subject, annotations)
    assert made == read
    assert hash(made) == hash(read)


@given(st.none() | _TYPES, st.lists(_DESCRIPTORS, max_size=3), st.none() | _DESCRIPTORS, _ANNOTATIONS)
def test_an_index_that_is_made_reads_back_as_it_was_made(
    artifact_type: str | None,
    manifests: list[Descriptor],
    subject: Descriptor | None,
    annotations: dict[str, str],
) -> None:
    made = Index.make(artifact_type=artifact_type, manifests=manifests, subject=subject, annotations=annotations)
    read = read_manifest(made.content, IMAGE_INDEX)
    assert isinstance(read, Index)
    assert (read.artifact_type, read.manifests) == (artifact_type, tuple(manifests))
    assert (read.subject, read.annotations) == (subject, annotations)


def test_the_spelling_is_the_one_it_always_was() -> None:
    """A change here changes the digest of every bundle."""
    manifest = a_manifest(described(b"one"), annotations={"b": "é", "a": "/"})
    assert manifest.content.decode() == (
        '{"annotations":{"a":"/","b":"é"},"artifactType":"application/vnd.example.rules.v1",'
        '"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
        '"mediaType":"application/vnd.oci.empty.v1+json","size":2},'
        '"layers":[{"digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",'
        '"mediaType":"application/vnd.example.rules.layer.v1","size":3}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )


def test_a_manifest_describes_itself_without_its_artifact_type() -> None:
    manifest = a_manifest()
    assert manifest.descriptor == Descriptor(IMAGE_MANIFEST, Digest.of(manifest.content), len(manifest.content))
    assert Index.make(artifact_type=SOME_TYPE, manifests=[]).descriptor.artifact_type is None


def test_a_list_of_referrers_has_a_manifest_under_its_artifact_type_or_that_of_its_config() -> None:
    config = Descriptor("application/vnd.example.config", EMPTY.digest, EMPTY.size)
    assert a_manifest().listed_type == SOME_TYPE
    assert Manifest.make(artifact_type=None, config=config, layers=[EMPTY]).listed_type == config.media_type
    assert Index.make(artifact_type=None, manifests=[]).listed_type is None


def test_the_empty_descriptor_describes_the_empty_object() -> None:
    assert Descriptor(EMPTY_CONFIG, Digest.of(EMPTY_CONTENT), 2) == EMPTY


def test_what_go_spells_for_nothing_is_nothing() -> None:
    read = read_manifest(
        b'{"schemaVersion":2,"artifactType":"","manifests":null,"subject":null,"annotations":null}', None
    )
    assert isinstance(read, Index)
    assert (read.manifests, read.artifact_type, read.subject, dict(read.annotations)) == ((), None, None, {})


def test_fields_that_are_not_known_are_no_harm() -> None:
    descriptor = {
        **described(b"one").document(),
        "urls": ["file:///etc/passwd"],
        "data": "eA==",
        "platform": {"os": "x"},
    }
    spelt = {**json.loads(a_manifest().content), "layers": [descriptor], "x": [1.5]}
    read = read_manifest(json.dumps(spelt).encode(), IMAGE_MANIFEST)
    assert isinstance(read, Manifest)
    assert read.layers == (described(b"one"),)


def test_an_error_says_where_it_is() -> None:
    spelt = {**json.loads(a_manifest().content), "layers": [EMPTY.document(), {**EMPTY.document(), "size": -1}]}
    with pytest.raises(DigestMismatch, match="manifest at the tag v1, layers 2: size"):
        read_manifest(json.dumps(spelt).encode(), None, subject="manifest at the tag v1")
    with pytest.raises(DigestMismatch, match="the answer: not a JSON object"):
        read_descriptor([], subject="the answer")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
)


@given(_VALUES)
def test_what_is_spelt_canonically_is_read_back_and_spelt_the_same(value: object) -> None:
    content = canonical_json(value)
    assert read_json(content, subject="it") == value
    assert canonical_json(read_json(content, subject="it")) == content
    assert json.loads(content) == value


@given(st.binary(max_size=60) | _VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_read_python_reads_the_same(content: bytes) -> None:
    try:
        value = read_json(content, subject="it")
    except DigestMismatch:
        return
    assert value == json.loads(content)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_json_cannot_say_is_not_spelt(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical_json(value)
