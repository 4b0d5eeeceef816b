"""Manifests, indexes and JSON made to be read as one thing by us and as another by somebody else, or never to end."""

from __future__ import annotations

import json
import time

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded
from agent_sync_oci.manifest import EMPTY, IMAGE_INDEX, IMAGE_MANIFEST, MAX_MANIFEST_BYTES, Manifest, read_manifest
from agent_sync_oci.strict_json import MAX_BRACKETS, MAX_DEPTH, read_json
from tests.builders.artifacts import a_manifest, described

A_MANIFEST = json.loads(a_manifest(described(b"one"), annotations={"a": "b"}).content)
AN_INDEX = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [a_manifest().descriptor.document()]}
A_DESCRIPTOR = described(b"one").document()


def spelt(value: object) -> bytes:
    return json.dumps(value).encode()


def refused(content: bytes, media_type: str | None = None) -> str:
    with pytest.raises(DigestMismatch) as caught:
        read_manifest(content, media_type)
    assert caught.value.remedy or "JSON" in caught.value.check
    return caught.value.check


def test_what_is_a_manifest_and_an_index_at_once_is_neither() -> None:
    """CVE-2021-41190."""
    both = {**A_MANIFEST, **AN_INDEX}
    for media_type in (IMAGE_MANIFEST, IMAGE_INDEX, None):
        for own in (IMAGE_MANIFEST, IMAGE_INDEX, None):
            assert "at once" in refused(spelt({**both, "mediaType": own}), media_type)


@pytest.mark.parametrize("value", [None, [], {}, 0], ids=str)
@pytest.mark.parametrize(("base", "key"), [(A_MANIFEST, "manifests"), (AN_INDEX, "layers"), (AN_INDEX, "config")])
def test_an_empty_key_of_the_other_kind_confuses_as_well(base: dict[str, object], key: str, value: object) -> None:
    assert "at once" in refused(spelt({**base, key: value}))


@pytest.mark.parametrize("key", ["Manifests", "MANIFESTS", "manife\u017fts"])
def test_a_key_that_some_programs_take_for_another_is_refused(key: str) -> None:
    """encoding/json of Go compares names without case, U+017F and U+212A included."""
    assert "take for" in refused(spelt({**A_MANIFEST, key: []}))


@pytest.mark.parametrize("key", ["Digest", "SIZE", "mediatype", "\u017fize"])
def test_nor_does_a_descriptor_have_such_a_key(key: str) -> None:
    assert "take for" in refused(spelt({**A_MANIFEST, "layers": [{**A_DESCRIPTOR, key: "x"}]}))


def test_what_another_says_of_the_kind_must_agree() -> None:
    assert "shaped like" in refused(spelt(A_MANIFEST), IMAGE_INDEX)
    assert "shaped like" in refused(spelt(AN_INDEX), IMAGE_MANIFEST)
    assert "shaped like" in refused(spelt({**A_MANIFEST, "mediaType": IMAGE_INDEX}), IMAGE_MANIFEST)
    assert "shaped like" in refused(spelt({**A_MANIFEST, "mediaType": IMAGE_INDEX}), None)
    assert "application/json" in refused(spelt(A_MANIFEST), "application/json")


def test_a_docker_manifest_is_called_one() -> None:
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    assert "not an OCI artifact" in refused(spelt({**A_MANIFEST, "mediaType": docker}), docker)
    assert "another kind" in refused(spelt({**A_MANIFEST, "fsLayers": []}))


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:../../x", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "A" * 64, "sha512:" + "0" * 128,
        "0" * 64, "sha256:" + "0" * 64 + "\n", "sha256:" + "\u0660" * 64, "", None, 7, ["sha256:" + "0" * 64],
    ],
)  # fmt: skip
def test_a_digest_that_is_none_is_refused(digest: object) -> None:
    for key, value in (
        ("layers", [{**A_DESCRIPTOR, "digest": digest}]),
        ("config", {**A_DESCRIPTOR, "digest": digest}),
        ("subject", {**A_DESCRIPTOR, "digest": digest}),
    ):
        assert "digest" in refused(spelt({**A_MANIFEST, key: value}))


@pytest.mark.parametrize("size", [2**63, -1, "12", 1.0, 1e2, True, None, [1], 10**400])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    assert "size" in refused(spelt({**A_MANIFEST, "layers": [{**A_DESCRIPTOR, "size": size}]}))


@pytest.mark.parametrize("media_type", ["", "text", "a/b/c", "a/b\r\nX: y", "a/" + "b" * 200, "é/b", 3, None])
def test_a_media_type_that_is_none_is_refused(media_type: object) -> None:
    assert "mediaType" in refused(spelt({**A_MANIFEST, "layers": [{**A_DESCRIPTOR, "mediaType": media_type}]}))


@pytest.mark.parametrize("value", [None, "x", 3, [], {}, [[]], ["x"], [None], {"digest": EMPTY.digest}])
def test_no_other_json_passes_for_a_descriptor_or_a_list_of_them(value: object) -> None:
    refused(spelt({**A_MANIFEST, "config": value}))
    refused(spelt({**A_MANIFEST, "layers": [value]}))
    refused(spelt({**AN_INDEX, "manifests": [value]}))


@pytest.mark.parametrize("value", ["x", 3, {"digest": "x"}, True])
def test_a_list_that_is_none_is_refused(value: object) -> None:
    refused(spelt({**A_MANIFEST, "layers": value}))
    refused(spelt({**AN_INDEX, "manifests": value}))


@pytest.mark.parametrize("annotations", ["x", ["a"], {"a": 1}, {"a": None}, {"a": {"b": "c"}}])
def test_annotations_that_are_no_texts_are_refused(annotations: object) -> None:
    assert "annotations" in refused(spelt({**A_MANIFEST, "annotations": annotations}))


@pytest.mark.parametrize("version", [1, 3, "2", 2.0, None, True])
def test_another_schema_version_is_refused(version: object) -> None:
    assert "schemaVersion" in refused(spelt({**A_MANIFEST, "schemaVersion": version}))


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"2", b'"x"', b"{}", b'{"schemaVersion": 2}'])
def test_json_that_is_no_manifest_is_refused(content: bytes) -> None:
    refused(content)


@pytest.mark.parametrize(
    "content",
    [
        spelt(A_MANIFEST)[:-1],
        spelt(A_MANIFEST) + b"{}",
        spelt(A_MANIFEST) + b"\0",
        b"\xef\xbb\xbf" + spelt(A_MANIFEST),
        json.dumps(A_MANIFEST).encode("utf-16"),
        spelt(A_MANIFEST).replace(b'"b"', b'"\xff"'),
        spelt(A_MANIFEST).replace(b'"b"', b'"\\ud800"'),
        spelt(A_MANIFEST).replace(b'"b"', b'"\n"'),
        spelt(A_MANIFEST).replace(b'"b"', b"NaN"),
        spelt(A_MANIFEST).replace(b'"b"', b"1e999"),
        spelt(A_MANIFEST).replace(b'"b"', b"1" * 5_000),
        b"// a comment\n" + spelt(A_MANIFEST),
    ],
    ids=range(12),
)
def test_what_is_not_strict_json_in_utf8_is_refused(content: bytes) -> None:
    assert "strict JSON" in refused(content)


@pytest.mark.parametrize(
    "content",
    [
        spelt(A_MANIFEST).replace(b"{", b'{"layers": [], ', 1),
        spelt(A_MANIFEST).replace(b"{", b'{"l\\u0061yers": [], ', 1),
        spelt(A_MANIFEST).replace(b'"size"', b'"size": 1, "size"', 1),
        spelt(A_MANIFEST).replace(b'"a": "b"', b'"a": "b", "a": "b"'),
    ],
    ids=["at the top", "escaped", "in a descriptor", "in annotations"],
)
def test_a_key_that_is_there_twice_is_refused(content: bytes) -> None:
    assert "twice" in refused(content)


def test_more_bytes_than_a_registry_takes_are_not_looked_at() -> None:
    padding = b" " * (MAX_MANIFEST_BYTES - len(spelt(A_MANIFEST)))
    assert isinstance(read_manifest(padding + spelt(A_MANIFEST), None), Manifest)
    with pytest.raises(LimitExceeded, match="bytes"):
        read_manifest(b" " + padding + spelt(A_MANIFEST), None)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":', b'"\\"[",[', b'{"]":'])
def test_json_that_is_too_deep_costs_an_error_and_not_the_process(opening: bytes) -> None:
    with pytest.raises(LimitExceeded, match="deep"):
        read_json(opening * 300_000, subject="it")


def test_json_that_is_too_wide_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(LimitExceeded, match="lists and objects"):
        read_json(b"[" + b"{}," * (MAX_BRACKETS + 1) + b"{}]", subject="it")


def test_brackets_in_texts_are_not_depth_and_the_limit_itself_is_taken() -> None:
    assert read_json(spelt(["[" * 1_000, '{"\\' * 1_000]), subject="it")
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, subject="it")
    with pytest.raises(LimitExceeded):
        read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), subject="it")


@pytest.mark.parametrize(
    "content",
    [
        b'"' + b'\\"' * (MAX_MANIFEST_BYTES // 2),
        b"{" + b",".join(b'"%d":0' % number for number in range(300_000)) + b',"299999":0}',
        b"[" * (MAX_DEPTH - 1) + b"[]," * MAX_BRACKETS,
        b'"' * (MAX_MANIFEST_BYTES - 1),
    ],
    ids=["escapes without end", "a late duplicate", "deep and wide", "quotes"],
)
def test_no_text_takes_long_to_refuse(content: bytes) -> None:
    """Seconds of processor time; each of these took minutes with a reader that looks at everything twice."""
    before = time.process_time()
    with pytest.raises((DigestMismatch, LimitExceeded)):
        read_json(content, subject="it")
    assert time.process_time() - before < 5


def test_text_that_acts_on_a_terminal_is_escaped_and_cut_in_an_error() -> None:
    check = refused(spelt({**A_MANIFEST, "layers": [{**A_DESCRIPTOR, "digest": "\x1b]0;x\x07‮" + "x" * 5_000}]}))
    assert check.isprintable()
    assert len(check) < 400


def test_a_manifest_is_known_by_its_bytes_and_not_by_its_meaning() -> None:
    ours = a_manifest()
    theirs = read_manifest(b" " + ours.content, None)
    assert theirs != ours
    assert theirs.digest == Digest.of(b" " + ours.content)
