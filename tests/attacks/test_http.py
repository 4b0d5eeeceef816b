"""Web servers that lie, never end, or never begin, and who wants to stop waiting for them (hostile-input: HTTP)."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_sync.adapters.network import ReadAhead, read_ahead
from agent_sync.errors import Cancelled, LimitExceeded, NetworkError
from agent_sync.ports import Cancellation
from tests.builders.fetching import a_fetcher, body_of, refusal_of
from tests.real import answers
from tests.real.http_server import Reply, Request, serve
from tests.real.https_files import FileServer
from tests.real.raw_server import Talk, read_head, saying, serve_raw

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "status", [201, 202, 203, 204, 205, 206, 300, 304, 400, 401, 403, 404, 407, 418, 500, 503, 999]
)
def test_only_200_is_the_file(http_files: FileServer, status: int) -> None:
    body = b"" if status in (204, 304) else b"half a file"
    error = refusal_of(http_files.publish("a", answers.a_status(status, body=body)))
    assert isinstance(error, NetworkError)
    assert str(status) in error.check


def test_a_redirect_without_a_place_is_no_file(http_files: FileServer) -> None:
    assert "302" in refusal_of(http_files.publish("a", answers.a_status(302))).check


def test_an_encoding_that_nobody_asked_for_is_neither_decoded_nor_kept(http_files: FileServer) -> None:
    error = refusal_of(http_files.publish("a", answers.gzipped(b"x" * 1000)))
    assert "encoded" in error.check
    assert http_files.requests[0].headers["accept-encoding"] == "identity"


def test_identity_is_no_encoding(http_files: FileServer) -> None:
    answer = answers.a_status(200, headers={"Content-Encoding": "Identity"}, body=b"x")
    assert body_of(http_files.publish("a", answer)) == b"x"


def test_a_short_body_is_an_error_and_not_a_file(http_files: FileServer) -> None:
    assert "4 bytes" in refusal_of(http_files.publish("a", answers.short(b"1234", missing=3))).check


def test_more_than_was_announced_is_not_read(http_files: FileServer) -> None:
    answer = answers.a_status(200, headers={"Content-Length": "3"}, body=b"12345")
    assert body_of(http_files.publish("a", answer)) == b"123"


def test_a_length_over_the_limit_is_refused_before_the_body(http_files: FileServer) -> None:
    written: list[bytes] = []
    url = http_files.publish("a", answers.slow(b"x" * 100, pause_s=0.2))
    with pytest.raises(LimitExceeded, match="100 bytes"):
        a_fetcher().fetch(url, written.append, max_bytes=99, timeout_s=20, cancellation=Cancellation())
    assert written == []


def test_a_body_without_end_is_cut_at_the_limit(http_files: FileServer) -> None:
    written = bytearray()
    url = http_files.publish("a", answers.endless())
    with pytest.raises(LimitExceeded, match="max_file_size"):
        a_fetcher().fetch(url, written.extend, max_bytes=1_000_000, timeout_s=20, cancellation=Cancellation())
    assert len(written) <= 1_000_000


@pytest.mark.parametrize(
    "bytes_sent",
    [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\nhello",
        HEAD + b"Content-Length: 5x\r\n\r\nhello",
        HEAD + b"Content-Length: " + b"9" * 6_000 + b"\r\n\r\nhello",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        HEAD + b"Content-Length: 5\r\nX: \0\r\n\r\nhello",
        b"HTTP/1.1 200 \x1b[31mOK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 500 \x1b]0;title\x07\xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01" * 100,
        b"",
    ],
)
def test_nonsense_is_a_network_error(bytes_sent: bytes) -> None:
    with serve_raw(saying(bytes_sent)) as place:
        assert isinstance(refusal_of(f"http://{place}/a"), NetworkError)


def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n"
    with serve_raw(saying(early, early, HEAD + b"Content-Length: 2\r\n\r\nhi")) as place:
        assert body_of(f"http://{place}/a") == b"hi"


@pytest.mark.parametrize("piece", [b"X-Bomb: " + b"x" * 90_000 + b"\r\n", b"x" * 90_000, b"x: y\r\n" * 10_000])
def test_a_hundred_megabytes_of_headers_are_not_read(piece: bytes) -> None:
    sent = [0]

    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(HEAD)
        while sent[0] < 100_000_000:
            connection.sendall(piece)
            sent[0] += len(piece)

    with serve_raw(talk) as place:
        assert isinstance(refusal_of(f"http://{place}/a"), NetworkError)
    assert sent[0] < 20_000_000  # what the kernel holds in its buffers counts as sent


def _dripping(start: bytes, drop: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            time.sleep(0.02)

    return talk


def _silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


@contextmanager
def _nobody_accepts() -> Iterator[str]:
    """A place whose queue is full: a connection to it is neither made nor refused."""
    with socket.socket() as listener, _sockets() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            each = socket.socket()
            waiting.append(each)
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def _sockets() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STUCK: dict[str, tuple[str, Callable[[], object]]] = {
    "connecting": ("http", _nobody_accepts),
    "TLS": ("https", lambda: serve_raw(_silent)),
    "silence": ("http", lambda: serve_raw(_silent)),
    "dripping status": ("http", lambda: serve_raw(_dripping(b"HTTP/1.1 200 ", b"O"))),
    "dripping headers": ("http", lambda: serve_raw(_dripping(HEAD, b"a: b\r\n"))),
    "interim for ever": ("http", lambda: serve_raw(_dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"))),
    "dripping body": ("http", lambda: serve_raw(_dripping(HEAD + b"Content-Length: 900000\r\n\r\n", b"x"))),
    "silent body": ("http", lambda: serve_raw(_dripping(HEAD + b"Content-Length: 900000\r\n\r\n", b""))),
    "dripping chunk size": ("http", lambda: serve_raw(_dripping(CHUNKED + b"5;", b"x"))),
    "dripping trailers": ("http", lambda: serve_raw(_dripping(CHUNKED + b"0\r\n", b"a: b\r\n"))),
}


@pytest.fixture(params=sorted(STUCK))
def stuck(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address that does not get anywhere, each time in another phase."""
    scheme, place = STUCK[request.param]
    with place() as host:  # type: ignore[attr-defined]
        yield f"{scheme}://{host}/a"


def test_the_time_limit_holds_in_every_phase(stuck: str) -> None:
    start = time.monotonic()
    error = refusal_of(stuck, timeout_s=0.5)
    assert isinstance(error, LimitExceeded)
    assert "0.5 s (fetch_timeout)" in error.check
    assert 0.4 < time.monotonic() - start < 4


def test_who_cancels_is_heard_in_every_phase(stuck: str) -> None:
    cancellation = Cancellation()
    timer = threading.Timer(0.3, cancellation.cancel)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        body_of(stuck, timeout_s=60, cancellation=cancellation)
    assert time.monotonic() - start < 4
    timer.join()


def test_the_time_limit_counts_over_all_redirects() -> None:
    def answer(request: Request, reply: Reply) -> None:
        time.sleep(0.25)
        reply.send(302, {"Location": f"{request.path}x", "Content-Length": "0"})

    with serve(answer) as server:
        start = time.monotonic()
        assert isinstance(refusal_of(f"{server.url}/a", timeout_s=0.6), LimitExceeded)
        assert time.monotonic() - start < 4
        assert 2 <= len(server.requests) <= 4


def test_a_source_of_bytes_that_cannot_be_interrupted_is_left_alone() -> None:
    forever = threading.Event()

    def resolver_that_hangs() -> Iterator[bytes]:
        forever.wait()
        yield b""

    hung_up: list[bool] = []
    start = time.monotonic()
    with read_ahead(resolver_that_hangs, abort=lambda: hung_up.append(True)) as body:
        assert not body.next(timeout_s=0.05)
        assert not body.is_over
    assert hung_up == [True]
    assert time.monotonic() - start < 4
    forever.set()


@pytest.mark.parametrize("chunks", [0, 1, 7, 8, 9, 100])
def test_what_came_before_an_error_is_handed_over_first(chunks: int) -> None:
    def source() -> Iterator[bytes]:
        yield from (b"%d" % number for number in range(chunks))
        raise ConnectionError

    got: list[bytes] = []

    def read(body: ReadAhead) -> None:
        while not body.is_over:
            got.extend(body.next(timeout_s=5))

    with read_ahead(source, abort=lambda: None) as body, pytest.raises(ConnectionError):
        read(body)
    assert got == [b"%d" % number for number in range(chunks)]


MEASURED = """
import hashlib, resource, sys, time
from agent_sync.adapters.network import HttpFetcher
from agent_sync.ports import Cancellation

def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

calls = []
digest = hashlib.sha256()

def write(chunk):
    if len(calls) < 3:
        time.sleep(0.3)  # a disk that lags behind while the server does not
    calls.append(len(chunk))
    digest.update(chunk)

fetch = lambda name: HttpFetcher({}).fetch(
    sys.argv[1] + name, write, max_bytes=10**9, timeout_s=300, cancellation=Cancellation())
fetch("small")
before = peak_kib()
fetch("large")
print(sum(calls), peak_kib() - before)
"""


def test_half_a_gigabyte_passes_through_a_few_megabytes() -> None:
    megabyte = b"\0" * 1_000_000

    def answer(request: Request, reply: Reply) -> None:
        count = 500 if request.path == "/large" else 1
        reply.send(200, {"Content-Length": str(count * 1_000_000)}, itertools.repeat(megabyte, count))

    with serve(answer) as server:
        ran = subprocess.run(
            [sys.executable, "-c", MEASURED, f"{server.url}/"],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
    received, growth_kib = map(int, ran.stdout.split())
    assert received == 501_000_000
    assert growth_kib < 24_000


def test_httpx_is_not_loaded_before_the_first_fetch() -> None:
    code = (
        "import sys; from agent_sync.adapters.network import HttpFetcher; HttpFetcher({}); "
        "print([name for name in sys.modules if name.split('.')[0] in ('httpx', 'httpcore', 'h11', 'netrc')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_server_on_an_ipv6_address_is_reached() -> None:
    with serve_raw(saying(HEAD + b"Content-Length: 2\r\n\r\nhi"), host="::1") as place:
        assert body_of(f"http://{place}/a") == b"hi"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:99999/a",
        "http://[::1/a",
        "http:///a",
        "http://127.0.0.1:1\x01/a",
        "http://\u2460.example/a",
        "http://a..b/a",
        "http://" + "a" * 70 + ".example/a",
        "http://127.0.0.1:1/a",
        "http://nowhere.invalid/a",
        "ftp://127.0.0.1/a",
    ],
)
def test_an_address_that_leads_nowhere_is_a_network_error(address: str) -> None:
    assert isinstance(refusal_of(address + "?token=s3cr3t", timeout_s=5), NetworkError)


def test_a_wrong_certificate_is_refused_before_anything_is_asked(https_files: FileServer) -> None:
    error = refusal_of(https_files.publish("a", b"x"))
    assert isinstance(error, NetworkError)
    assert "certificate is not accepted" in error.check
    assert "SSL_CERT_FILE" in (error.remedy or "")
    assert https_files.requests == []
