"""Redirects to where nobody meant to go, and passwords that must not come along (hostile-input: HTTP)."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agent_sync.errors import AgentSyncError, NetworkError
from agent_sync_oci.http.addresses import redirect_refusal
from tests.builders.fetching import a_fetcher, a_netrc, body_of, refusal_of
from tests.real import answers
from tests.real.answers import a_redirect
from tests.real.authority import Authority
from tests.real.https_files import FileServer, serve_files
from tests.real.proxy import serve_proxy

ROOT = Path(__file__).resolve().parents[2]
LOGIN = "Basic " + base64.b64encode(b"ann:s3cr3t").decode()


def _redirecting(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def _from_outside(to: str, no_proxy: str = "127.0.0.1,localhost,::1") -> AgentSyncError:
    """The refusal of a server elsewhere (behind a proxy; the machine's own hosts are not) that redirects to `to`."""
    with serve_proxy({"files.example": _redirecting(to)}) as proxy:
        error = refusal_of("http://files.example/a", a_fetcher(http_proxy=proxy.url, no_proxy=no_proxy))
        assert proxy.asked == ["GET http://files.example/a"]
        return error


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(http_files: FileServer, status: int) -> None:
    there = http_files.publish("b/c", b"here")
    assert body_of(http_files.publish("1", a_redirect(there, status=status))) == b"here"
    assert body_of(http_files.publish("b/2", a_redirect("c", status=status))) == b"here"
    assert body_of(http_files.publish("3", a_redirect(there.removeprefix("http:"), status=status))) == b"here"


def test_ten_redirects_are_followed_and_eleven_are_not(http_files: FileServer) -> None:
    http_files.publish("10", b"here")
    for number in range(10):
        http_files.publish(str(number), a_redirect(f"/{number + 1}"))
    assert body_of(f"{http_files.server.url}/0") == b"here"
    error = refusal_of(http_files.publish("-1", a_redirect("/0")))
    assert "more than 10 times" in error.check


def test_a_redirect_to_itself_ends(http_files: FileServer) -> None:
    assert "more than 10 times" in refusal_of(http_files.publish("a", a_redirect("/a"))).check
    assert len(http_files.requests) == 11


def test_from_https_to_http_is_refused_and_the_other_way_is_not(
    https_files: FileServer, http_files: FileServer, authority: Authority
) -> None:
    plain, safe = http_files.publish("a", b"plain"), https_files.publish("a", b"safe")
    error = refusal_of(https_files.publish("down", a_redirect(plain)), a_fetcher(authority))
    assert "not encrypted" in error.check
    assert http_files.requests == []
    assert body_of(http_files.publish("up", a_redirect(safe)), a_fetcher(authority)) == b"safe"


@pytest.mark.parametrize(
    "to",
    ["file:///etc/hostname", "ftp://files.example/a", "data:,x", "javascript:1", "gopher://127.0.0.1:70/"],
)
def test_a_scheme_that_is_not_of_the_web_is_refused(http_files: FileServer, to: str) -> None:
    error = refusal_of(http_files.publish("a", a_redirect(to)))
    assert isinstance(error, NetworkError)
    assert "not an http(s) address" in error.check


@pytest.mark.parametrize(
    "to",
    [
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "http://0251.0376.0251.0376/",
        "//[x]/",
        "http://a\u2460/",
        "\x80\xff://",
    ],
)
def test_a_place_that_is_no_address_is_refused(http_files: FileServer, to: str) -> None:
    assert isinstance(refusal_of(http_files.publish("a", a_redirect(to.encode().decode("latin-1")))), NetworkError)


LOOPBACK = [
    "127.0.0.1",
    "127.8.8.8",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "127.1",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "x.localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]
METADATA = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "169.254.43518",
    "169.254.169.254.",
    "169.254.170.2",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "[ff02::1]",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_no_server_elsewhere_sends_us_to_this_machine(host: str) -> None:
    assert "on this machine" in _from_outside(f"http://{host}/a").check


@pytest.mark.parametrize("host", METADATA)
def test_no_server_sends_us_to_the_neighbours_or_to_a_metadata_service(host: str, http_files: FileServer) -> None:
    assert "metadata service" in _from_outside(f"http://{host}/latest/meta-data/").check
    assert "metadata service" in refusal_of(http_files.publish("a", a_redirect(f"http://{host}/"))).check


def test_a_proxy_does_not_make_it_allowed() -> None:
    assert "on this machine" in _from_outside("http://127.0.0.1/a", no_proxy="").check
    assert "metadata service" in _from_outside("http://169.254.169.254/a", no_proxy="").check


@pytest.mark.parametrize(
    "host", ["files.example", "10.0.0.8", "192.168.1.1", "[2001:db8::1]", "0x08.8.8.8", "127.example"]
)
def test_an_ordinary_host_is_allowed(host: str) -> None:
    assert redirect_refusal(httpx.URL("https://a.example"), httpx.URL(f"https://{host}/"), began_here=False) is None


# A machine whose resolver, once asked for `rebound.example`, says that it is this machine.
REBINDING = """
import socket, sys
from agent_sync.adapters.network import HttpFetcher
from agent_sync.ports import Cancellation

truth = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: truth(
    "127.0.0.1" if host == "rebound.example" else host, *rest, **named)
fetcher = HttpFetcher({"http_proxy": sys.argv[2], "no_proxy": "rebound.example"})
fetcher.fetch(sys.argv[1], print, max_bytes=100, timeout_s=20, cancellation=Cancellation())
"""


def test_a_name_counts_for_the_address_that_it_leads_to_when_it_is_connected(http_files: FileServer) -> None:
    there = http_files.publish("a", b"mine").replace("127.0.0.1", "rebound.example")
    with serve_proxy({"files.example": _redirecting(there)}) as proxy:
        from_outside, declared = (
            subprocess.run(
                [sys.executable, "-c", REBINDING, url, proxy.url], cwd=ROOT, capture_output=True, text=True, check=False
            )
            for url in ("http://files.example/a", there)
        )
    assert "which is on this machine" in from_outside.stderr
    assert (declared.stdout, declared.stderr) == ("b'mine'\n", "")
    assert len(http_files.requests) == 1  # the declared one: nothing was sent in the other case


def test_a_redirect_that_brings_its_own_password_is_refused_and_not_shown(http_files: FileServer) -> None:
    to = http_files.publish("b", b"x").replace("//", "//ann:s3cr3t@")
    error = refusal_of(http_files.publish("a", a_redirect(to)))
    assert "carries credentials" in error.check
    assert "s3cr3t" not in str(error)
    assert [request.path for request in http_files.requests] == ["/a"]


def test_what_a_refusal_shows_of_the_place_cannot_move_the_cursor_or_hold_a_token() -> None:
    error = _from_outside("http://127.0.0.1/\x9b2J\u202eevil?X-Amz-Signature=s3cr3t&x=" + "y" * 50_000)
    assert str(error).isprintable()
    assert "s3cr3t" not in str(error)
    assert len(str(error)) < 1000


# -- credentials -----------------------------------------------------------------------------------------------------


@pytest.fixture
def netrc(tmp_path: Path) -> dict[str, str]:
    """The variable that names ann's login on 127.0.0.1 and on localhost."""
    text = "machine 127.0.0.1 login ann password s3cr3t\nmachine localhost login ann password s3cr3t\n"
    return dict(a_netrc(text, str(tmp_path / "netrc")))


def test_netrc_logs_in_and_follows_within_the_place(http_files: FileServer, netrc: dict[str, str]) -> None:
    there = http_files.publish("b", answers.behind_password(answers.a_file(b"mine"), user="ann", password="s3cr3t"))
    assert body_of(http_files.publish("a", a_redirect(there)), a_fetcher(**netrc)) == b"mine"
    assert [request.headers["authorization"] for request in http_files.requests] == [LOGIN, LOGIN]


def test_another_port_does_not_get_the_password(http_files: FileServer, netrc: dict[str, str]) -> None:
    with serve_files(authority=None) as other:
        there = other.publish("b", b"x")
        assert body_of(http_files.publish("a", a_redirect(there)), a_fetcher(**netrc)) == b"x"
        assert "authorization" not in other.requests[0].headers
    assert http_files.requests[0].headers["authorization"] == LOGIN


def test_another_host_does_not_get_the_password(http_files: FileServer, netrc: dict[str, str]) -> None:
    there = http_files.publish("b", b"x").replace("127.0.0.1", "localhost")
    assert body_of(http_files.publish("a", a_redirect(there)), a_fetcher(**netrc)) == b"x"
    assert ["authorization" in request.headers for request in http_files.requests] == [True, False]


def test_another_scheme_does_not_get_the_password(
    https_files: FileServer, http_files: FileServer, authority: Authority, netrc: dict[str, str]
) -> None:
    there = https_files.publish("b", b"x")
    assert body_of(http_files.publish("a", a_redirect(there)), a_fetcher(authority, **netrc)) == b"x"
    assert "authorization" not in https_files.requests[0].headers


def test_no_cookie_comes_along(http_files: FileServer) -> None:
    first = answers.a_status(302, headers={"Location": "/b", "Set-Cookie": "id=1; Path=/"})
    http_files.publish("b", b"x")
    assert body_of(http_files.publish("a", first)) == b"x"
    assert "cookie" not in http_files.requests[1].headers
