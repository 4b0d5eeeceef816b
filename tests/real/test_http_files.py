"""The file server does what it says, seen with another client than ours."""

from __future__ import annotations

import gzip
import ssl
import urllib.error
import urllib.request
from http.client import IncompleteRead, RemoteDisconnected
from itertools import islice

import pytest

from tests.real import answers
from tests.real.authority import Authority
from tests.real.https_files import FileServer


def _get(url: str, authority: Authority, *, headers: dict[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, headers=headers or {})
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with urllib.request.urlopen(request, timeout=10, context=context) as response:
        body: bytes = response.read()
        return body


def test_a_published_file_is_served_to_who_trusts_the_authority(https_files: FileServer, authority: Authority) -> None:
    url = https_files.publish("rules/policy.md", b"be kind\n")
    assert _get(url, authority) == b"be kind\n"
    assert [(request.method, request.path) for request in https_files.requests] == [("GET", "/rules/policy.md")]


def test_a_client_that_does_not_know_the_authority_is_warned(https_files: FileServer) -> None:
    url = https_files.publish("policy.md", b"")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(url, timeout=10)
    assert https_files.requests == []


def test_what_is_not_published_is_not_found(https_files: FileServer, authority: Authority) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        _get(https_files.server.url + "/secret", authority)
    refused.value.close()


def test_a_redirect_leads_to_the_other_place(https_files: FileServer, authority: Authority) -> None:
    there = https_files.publish("new.md", b"here")
    assert _get(https_files.publish("old.md", answers.a_redirect(there)), authority) == b"here"
    assert [request.path for request in https_files.requests] == ["/old.md", "/new.md"]


def test_a_short_body_ends_before_its_announced_length(https_files: FileServer, authority: Authority) -> None:
    with pytest.raises(IncompleteRead) as cut:
        _get(https_files.publish("short", answers.short(b"12345", missing=3)), authority)
    assert cut.value.partial == b"12345"
    assert cut.value.expected == 3


def test_a_longer_body_goes_on_after_the_honest_one(https_files: FileServer, authority: Authority) -> None:
    assert _get(https_files.publish("longer", answers.longer(b"12345", extra=b"67")), authority) == b"1234567"


def test_an_endless_body_lasts_until_the_client_hangs_up(http_files: FileServer) -> None:
    url = http_files.publish("endless", answers.endless(b"x" * 1000))
    with urllib.request.urlopen(url, timeout=10) as response:
        received = sum(len(piece) for piece in islice(iter(lambda: response.read(100_000), b""), 30))
    assert received == 3_000_000


def test_a_slow_body_comes_whole_if_one_waits(http_files: FileServer, authority: Authority) -> None:
    url = http_files.publish("slow", answers.slow(b"abcdef", pause_s=0.01, piece_bytes=2))
    assert _get(url, authority) == b"abcdef"


def test_a_gzipped_body_arrives_packed_though_nobody_asked(https_files: FileServer, authority: Authority) -> None:
    packed = _get(https_files.publish("packed", answers.gzipped(b"plain")), authority)
    assert gzip.decompress(packed) == b"plain"


def test_a_page_for_people_comes_with_status_200(https_files: FileServer, authority: Authority) -> None:
    assert b"<title>Sign in</title>" in _get(https_files.publish("portal", answers.html()), authority)


def test_a_connection_may_close_without_a_word(http_files: FileServer, authority: Authority) -> None:
    with pytest.raises(RemoteDisconnected):
        _get(http_files.publish("nothing", answers.nothing), authority)


def test_only_the_right_password_opens(https_files: FileServer, authority: Authority) -> None:
    url = https_files.publish("guarded", answers.behind_password(answers.a_file(b"in"), user="me", password="open"))
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        _get(url, authority)
    refused.value.close()
    assert _get(url, authority, headers={"Authorization": "Basic bWU6b3Blbg=="}) == b"in"


def test_a_server_may_recover(https_files: FileServer, authority: Authority) -> None:
    url = https_files.publish("flaky", answers.first(answers.a_status(503), then=answers.a_file(b"fine")))
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        _get(url, authority)
    refused.value.close()
    assert _get(url, authority) == b"fine"
