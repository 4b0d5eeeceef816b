"""Registries that lie about what they have, or never come to an end (hostile-input: Registries)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import AgentSyncError, DigestMismatch, LimitExceeded, NotFound, RegistryError
from agent_sync_oci.manifest import EMPTY, IMAGE_INDEX, IMAGE_MANIFEST, MAX_MANIFEST_BYTES, Manifest
from agent_sync_oci.registry.remote.repository import RemoteRegistry
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob
from tests.builders.remotes import a_remote, refused
from tests.real.answers import a_file, a_redirect, a_status, endless, gzipped, html, longer, short
from tests.real.http_server import Answer, Request
from tests.real.registry_double import ServedDouble, serve_double

HONEST = b"be kind\n" * 5000  # more than is read at once
MANIFEST = Manifest.make(artifact_type="application/vnd.tests", config=EMPTY, layers=[EMPTY])


@contextmanager
def _saying(part: str, answer: Answer, method: str = "GET") -> Iterator[RemoteRegistry]:
    """A registry that answers in this way when `part` is in the path, and honestly otherwise."""

    def instead(request: Request) -> Answer | None:
        return answer if part in request.path and request.method == method else None

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        yield registry


def _a_manifest(content: bytes, media_type: str | None = IMAGE_MANIFEST, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return a_status(200, headers={**({"Content-Type": media_type} if media_type else {}), **named}, body=content)


# -- digests -----------------------------------------------------------------------------------------------------------


def test_a_manifest_that_does_not_hash_to_the_digest_asked_for_is_refused() -> None:
    with _saying("/manifests/", _a_manifest(MANIFEST.content)) as registry:
        assert isinstance(refused(lambda: registry.manifest(Digest.of(b"another"))), DigestMismatch)
        assert registry.manifest(MANIFEST.digest) == MANIFEST
        assert registry.manifest("v1") == MANIFEST


@pytest.mark.parametrize(
    "said", [str(Digest.of(b"another")), "sha256:../../x", "sha512:" + "0" * 128, "", "\x1b[2J", "x" * 5000]
)
def test_a_lying_docker_content_digest_is_noticed(said: str) -> None:
    with _saying("/manifests/", _a_manifest(MANIFEST.content, Docker_Content_Digest=said)) as registry:
        for wanted in ("v1", MANIFEST.digest):
            assert isinstance(refused(partial(registry.manifest, wanted)), DigestMismatch)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_lying_docker_content_digest_of_a_blob_is_noticed(method: str) -> None:
    lie = a_status(200, headers={"Docker-Content-Digest": str(Digest.of(b"another"))}, body=HONEST)
    with _saying("/blobs/", lie, method) as registry:
        blob = described(HONEST)
        asked = {"GET": lambda: blob_of(registry, blob), "HEAD": lambda: registry.blob_size(blob.digest)}
        assert isinstance(refused(asked[method]), DigestMismatch)


@pytest.mark.parametrize("part", ["/blobs/uploads/", "/manifests/"])
def test_a_registry_that_took_something_else_than_was_sent_is_noticed(part: str) -> None:
    with _saying(part, a_status(201, headers={"Docker-Content-Digest": str(Digest.of(b"another"))}), "PUT") as registry:
        assert isinstance(refused(lambda: put_artifact(registry, tag="v1")), DigestMismatch)


def test_a_blob_with_other_bytes_of_the_same_length_is_refused() -> None:
    with _saying("/blobs/", a_file(HONEST[::-1])) as registry:
        error = refused(lambda: blob_of(registry, described(HONEST)))
        assert isinstance(error, DigestMismatch)
        assert "sha256" in error.check


@pytest.mark.parametrize("digest", ["sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32, "", 7, None])
@pytest.mark.parametrize("where", ["config", "layers", "subject"])
def test_a_manifest_with_a_digest_that_is_none_is_refused(digest: object, where: str) -> None:
    document = json.loads(MANIFEST.content)
    lie = {**EMPTY.document(), "digest": digest}
    document[where] = [lie] if where == "layers" else lie
    with _saying("/manifests/", _a_manifest(json.dumps(document).encode())) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), DigestMismatch)


@pytest.mark.parametrize("tag", ["../../../v2/other/manifests/v1", "a/b", "a?b", "a#b", "", "v1\r\nX: y", "%2e%2e"])
def test_a_tag_that_would_lead_elsewhere_is_not_asked_for(tag: str, registry_double: ServedDouble) -> None:
    with a_remote(registry_double.host) as registry:
        assert isinstance(refused(lambda: registry.manifest(tag)), NotFound)
    assert registry_double.requests == []


# -- manifests ---------------------------------------------------------------------------------------------------------


def test_a_manifest_that_is_an_index_as_well_is_refused() -> None:
    """CVE-2021-41190."""
    both = json.loads(MANIFEST.content) | {"manifests": []}
    with _saying("/manifests/", _a_manifest(json.dumps(both).encode())) as registry:
        assert "at once" in refused(lambda: registry.manifest("v1")).check


@pytest.mark.parametrize(
    "media_type", [IMAGE_INDEX, "text/html", "application/json", "application/vnd.docker.distribution.manifest.v2+json"]
)
def test_a_content_type_that_disagrees_with_the_media_type_is_refused(media_type: str) -> None:
    with _saying("/manifests/", _a_manifest(MANIFEST.content, media_type)) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), DigestMismatch)


@pytest.mark.parametrize("media_type", [None, f"{IMAGE_MANIFEST}; charset=utf-8"])
def test_a_content_type_may_be_missing_or_have_parameters(media_type: str | None) -> None:
    with _saying("/manifests/", _a_manifest(MANIFEST.content, media_type)) as registry:
        assert registry.manifest("v1") == MANIFEST


@pytest.mark.parametrize("size", [2**63, -1, "12", 1.5, None, True])
def test_a_manifest_with_a_size_that_is_none_is_refused(size: object) -> None:
    document = json.loads(MANIFEST.content)
    document["layers"] = [{**EMPTY.document(), "size": size}]
    with _saying("/manifests/", _a_manifest(json.dumps(document).encode())) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), DigestMismatch)


@pytest.mark.parametrize("answer", [html(), a_file(b""), a_file(b"null"), a_file(b"[" * 100_000), a_file(b"\xff")])
def test_nonsense_is_no_manifest(answer: Answer) -> None:
    with _saying("/manifests/", answer) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), DigestMismatch | LimitExceeded)


@pytest.mark.parametrize("answer", [endless(), a_file(b" " * (MAX_MANIFEST_BYTES + 1))], ids=["endless", "announced"])
def test_a_manifest_without_end_is_not_read(answer: Answer) -> None:
    with _saying("/manifests/", answer) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), LimitExceeded)


def test_what_is_encoded_is_neither_decoded_nor_taken() -> None:
    with _saying("/manifests/", gzipped(HONEST)) as registry:
        assert "encoded" in refused(lambda: registry.manifest("v1")).check
    with _saying("/blobs/", gzipped(HONEST)) as registry:
        assert "encoded" in refused(lambda: blob_of(registry, described(HONEST))).check


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"code":"DENIED","message":"\\u001b[2J\\u202e go away"}]}',
        b'{"errors":[{"code":"DENIED","message":"' + b"x" * 5_000 + b'"}]}',
        b'{"errors":[{"code":"\\u001b","message":7}]}',
        b'{"errors":[]}',
        b'{"errors":{"a":1}}',
        b"[" * 100_000,
        b"\xff" * 100,
        b"",
    ],
)
def test_what_a_registry_says_of_its_refusal_cannot_move_the_cursor(body: bytes) -> None:
    with _saying("/manifests/", a_status(403, body=body)) as registry:
        error = refused(lambda: registry.manifest("v1"))
        assert "403" in error.check
        assert len(str(error)) < 500


# -- blobs -------------------------------------------------------------------------------------------------------------


def _blob_from(answer: Answer, written: list[bytes]) -> AgentSyncError:
    with _saying("/blobs/", answer) as registry:
        return refused(lambda: registry.get_blob(described(HONEST), written.append))


@pytest.mark.parametrize(
    "answer",
    [
        longer(HONEST),
        a_file(HONEST + b"!"),
        a_file(HONEST[1:]),
        endless(),
        a_status(200, headers={"Transfer-Encoding": "chunked"}),
    ],
    ids=["longer", "announced longer", "announced shorter", "endless", "nothing"],
)
def test_a_blob_of_another_length_is_refused_and_never_more_is_written(answer: Answer) -> None:
    written: list[bytes] = []
    error = _blob_from(answer, written)
    assert isinstance(error, DigestMismatch | RegistryError)
    assert len(b"".join(written)) <= len(HONEST)


def test_a_body_that_always_ends_early_is_a_fault_of_the_registry() -> None:
    written: list[bytes] = []
    error = _blob_from(short(HONEST[:-1]), written)
    assert isinstance(error, RegistryError)
    assert len(b"".join(written)) < len(HONEST)


def test_a_blob_of_five_gigabytes_is_not_begun_where_less_was_promised() -> None:
    written: list[bytes] = []
    announced = a_status(200, headers={"Content-Length": str(5 * 10**9)})
    assert isinstance(_blob_from(announced, written), DigestMismatch)
    assert written == []


def test_a_continuation_at_another_byte_is_refused() -> None:
    half = len(HONEST) // 2

    def instead(request: Request) -> Answer | None:
        if "range" not in request.headers:
            return short(HONEST[:half], missing=len(HONEST) - half)
        return a_status(206, headers={"Content-Range": f"bytes {half + 1}-9/{len(HONEST)}"}, body=HONEST[half + 1 :])

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        assert "another byte" in refused(lambda: blob_of(registry, described(HONEST))).check


def test_what_is_continued_is_verified_as_a_whole() -> None:
    half = len(HONEST) // 2

    def instead(request: Request) -> Answer | None:
        if "range" not in request.headers:
            return short(HONEST[:half], missing=len(HONEST) - half)
        rest = HONEST[half:][::-1]
        return a_status(206, headers={"Content-Range": f"bytes {half}-{len(HONEST) - 1}/*"}, body=rest)

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        assert isinstance(refused(lambda: blob_of(registry, described(HONEST))), DigestMismatch)


@pytest.mark.parametrize("length", ["-1", "9" * 30])
def test_a_size_that_makes_no_sense_is_not_believed(length: str) -> None:
    with _saying("/blobs/", a_status(200, headers={"Content-Length": length}), "HEAD") as registry:
        assert isinstance(refused(lambda: registry.blob_size(described(HONEST).digest)), RegistryError)


def test_a_registry_that_has_another_size_under_the_digest_is_noticed_before_a_push() -> None:
    with _saying("/blobs/", a_status(200, headers={"Content-Length": "5"}), "HEAD") as registry:
        assert isinstance(refused(lambda: put_blob(registry, HONEST)), DigestMismatch)


@pytest.mark.parametrize("body", [HONEST + b"!", HONEST[1:], HONEST[::-1], b""])
def test_a_body_that_is_not_the_blob_does_not_get_there(body: bytes, registry_double: ServedDouble) -> None:
    with a_remote(registry_double.host) as registry:
        assert isinstance(
            refused(lambda: registry.put_blob(described(HONEST), lambda: io.BytesIO(body))), DigestMismatch
        )
        assert registry.blob_size(described(HONEST).digest) is None
    assert registry_double.registry.blobs == {}


# -- lists -------------------------------------------------------------------------------------------------------------


def _page(entries: list[object], link: str | None) -> Answer:
    more = {} if link is None else {"Link": f'<{link}>; rel="next"'}
    document = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries, "tags": None}
    if not link or "tags" in link:
        document["tags"] = [f"t{number}" for number in range(len(entries))]
    return a_status(200, headers={"Content-Type": IMAGE_INDEX, **more}, body=json.dumps(document).encode())


def _referrer(number: int) -> dict[str, object]:
    return {"mediaType": IMAGE_MANIFEST, "digest": str(Digest.of(b"%d" % number)), "size": 7}


def test_pages_without_end_are_not_followed() -> None:
    for entries in ([], [_referrer(1)]):
        with _saying("/referrers/", _page(list(entries), "?again")) as registry:
            assert isinstance(refused(lambda: registry.referrers(MANIFEST.digest)), LimitExceeded)
    with _saying(
        "/tags/list", a_status(200, headers={"Link": '<?again>; rel="next"'}, body=b'{"tags":["a"]}')
    ) as registry:
        assert isinstance(refused(registry.tags), LimitExceeded)


def test_a_page_of_endless_length_is_not_read() -> None:
    with _saying("/tags/list", endless(b" " * 65_536)) as registry:
        assert isinstance(refused(registry.tags), LimitExceeded)


@pytest.mark.parametrize(("count", "fits"), [(1000, True), (1001, False)])
def test_a_thousand_referrers_are_listed_and_no_more(count: int, fits: bool) -> None:
    with _saying("/referrers/", _page([_referrer(number) for number in range(count)], None)) as registry:
        if fits:
            assert len(registry.referrers(MANIFEST.digest)) == count
        else:
            assert isinstance(refused(lambda: registry.referrers(MANIFEST.digest)), LimitExceeded)


@pytest.mark.parametrize("answer", [html(), a_file(b"{}"), a_status(404), a_status(400), a_status(405)])
def test_a_registry_without_the_referrers_api_lists_none(answer: Answer) -> None:
    with _saying("/referrers/", answer) as registry:
        assert registry.referrers(MANIFEST.digest) == ()


@pytest.mark.parametrize("answer", [a_status(403), a_status(500), _page([{"digest": "sha256:../../x"}], None)])
def test_a_list_of_referrers_that_fails_is_not_an_empty_one(answer: Answer) -> None:
    with _saying("/referrers/", answer) as registry:
        refused(lambda: registry.referrers(MANIFEST.digest))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"tags":{"a":1}}', b'{"tags":["a/../b"]}', b'{"tags":[1]}', b'{"tags":["\\u001b"]}']
)
def test_a_list_of_something_else_than_tags_is_refused(body: bytes) -> None:
    with _saying("/tags/list", a_status(200, body=body)) as registry:
        assert isinstance(refused(registry.tags), DigestMismatch)


def test_a_redirect_without_end_ends() -> None:
    with _saying("/blobs/", a_redirect("?again")) as registry:
        assert "redirects" in refused(lambda: blob_of(registry, described(HONEST))).check
