"""Registries that are slow, busy, or cut the connection at any stage (hostile-input: Registries)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from agent_sync_oci.errors import NotFound, RegistryError
from agent_sync_oci.registry.remote.repository import RemoteRegistry
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob
from tests.builders.remotes import a_remote, refused
from tests.real.answers import a_redirect, a_status, first, nothing, short, slow
from tests.real.docker_registry import DockerRegistry
from tests.real.http_server import Answer, Request
from tests.real.raw_server import Talk, read_head, saying, serve_raw
from tests.real.registry_double import serve_double

ROOT = Path(__file__).resolve().parents[2]
CONTENT = bytes(range(256)) * 4_000  # a megabyte, which no buffer holds at once
BLOB = described(CONTENT)


# -- cut ---------------------------------------------------------------------------------------------------------------

_NO_END = 10**12


@contextmanager
def _cut(host: str, *, connection: int, sent: int = _NO_END, received: int = _NO_END) -> Iterator[str]:
    """A way to `host`; one connection on it is cut after so many bytes."""
    numbers = iter(range(1_000_000))

    def talk(client: socket.socket) -> None:
        is_cut = next(numbers) == connection
        name, _, port = host.partition(":")
        with socket.create_connection((name, int(port))) as server:
            there = (client, server, sent if is_cut else _NO_END)
            sending = threading.Thread(target=_relay, args=there, daemon=True)
            sending.start()
            _relay(server, client, received if is_cut else _NO_END)
            sending.join(5)

    with serve_raw(talk) as place:
        yield place


def _relay(source: socket.socket, sink: socket.socket, left: int) -> None:
    """Hands on what comes; after `left` bytes nothing goes in either direction."""
    with contextlib.suppress(OSError):
        while left and (piece := source.recv(min(left, 65_536))):
            sink.sendall(piece)
            left -= len(piece)
        if left:
            sink.shutdown(socket.SHUT_WR)
        else:
            source.shutdown(socket.SHUT_RDWR)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "cut",
    [{"sent": 0}, {"sent": 10}, {"sent": 5000}, {"received": 0}, {"received": 20}, {"received": 600_000}],
    ids=str,
)
def test_a_connection_that_is_cut_once_at_any_stage_does_no_harm(cut: dict[str, int]) -> None:
    requests = 9  # HEAD, POST and PUT of two blobs, a manifest there and back, a blob back
    for connection in range(requests):
        with serve_double() as double, _cut(double.host, connection=connection, **cut) as host:
            with a_remote(host) as registry:
                manifest = put_artifact(registry, CONTENT, tag="v1")
                assert registry.manifest("v1") == manifest
                assert blob_of(registry, BLOB) == CONTENT
            assert double.registry.blobs["team/agents", BLOB.digest] == CONTENT


def test_a_download_goes_on_where_it_was_cut() -> None:
    with serve_double() as double:
        with a_remote(double.host) as registry:
            put_blob(registry, CONTENT)
        with _cut(double.host, connection=0, received=600_000) as host, a_remote(host) as registry:
            assert blob_of(registry, BLOB) == CONTENT
        start = int(double.requests[-1].headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert 400_000 < start <= 600_000


def test_a_server_that_cannot_go_on_begins_again() -> None:
    def instead(request: Request) -> Answer | None:
        if request.method != "GET":
            return None
        if "range" in request.headers:
            return a_status(200, body=CONTENT)
        return short(CONTENT[:500_000], missing=len(CONTENT) - 500_000)

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        assert blob_of(registry, BLOB) == CONTENT


def test_a_registry_that_always_hangs_up_is_given_up() -> None:
    start = time.monotonic()
    with serve_double(around=lambda _: nothing) as double, a_remote(double.host) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), RegistryError)
        assert len(double.requests) == 4
    assert time.monotonic() - start < 5


def test_a_download_that_is_cut_again_and_again_is_given_up() -> None:
    """Each time it gets on by a byte or so: not even the time would end it soon."""

    def instead(request: Request) -> Answer | None:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        headers = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/*", "Content-Length": str(len(CONTENT) - start)}
        return a_status(206 if start else 200, headers=headers, body=CONTENT[start : start + 1])

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        assert "cut 20 times" in refused(lambda: blob_of(registry, BLOB)).check
        assert len(double.requests) == 20


def test_a_host_that_nobody_has_is_not_asked_for_again_and_again() -> None:
    start = time.monotonic()
    with a_remote("registry.invalid") as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), RegistryError)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01" * 100, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"]
)
def test_what_is_not_http_is_a_fault(said: bytes) -> None:
    with serve_raw(saying(said)) as host, a_remote(host) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), RegistryError)


# -- busy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_registry_is_asked_again(status: int) -> None:
    busy = a_status(status)
    with (
        serve_double(around=lambda honest: first(busy, busy, then=honest)) as double,
        a_remote(double.host) as registry,
    ):
        assert registry.tags() == ()
        assert put_blob(registry, CONTENT) == BLOB


def test_a_registry_that_stays_busy_is_given_up() -> None:
    with serve_double(around=lambda _: a_status(503)) as double, a_remote(double.host) as registry:
        assert "503" in refused(lambda: put_blob(registry, CONTENT)).check
        assert len(double.requests) == 4


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_a_registry_is_left_alone_for_as_long_as_it_asks(kind: str) -> None:
    text = "1" if kind == "seconds" else formatdate(time.time() + 2, usegmt=True)
    busy = a_status(429, headers={"Retry-After": text})
    start = time.monotonic()
    with serve_double(around=lambda honest: first(busy, then=honest)) as double, a_remote(double.host) as registry:
        registry.tags()
    assert 0.9 < time.monotonic() - start < 5


@pytest.mark.parametrize("text", ["3600", "9" * 500, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_that_is_too_long_is_not_begun(text: str) -> None:
    start = time.monotonic()
    with (
        serve_double(around=lambda _: a_status(429, headers={"Retry-After": text})) as double,
        a_remote(double.host) as registry,
    ):
        error = refused(registry.tags)
        assert "asks to wait" in error.check
        assert len(double.requests) == 1
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("text", ["-1", "soon", "\x80", "Mon, 99 Foo 2020", "0"])
def test_a_wait_that_makes_no_sense_is_a_short_one(text: str) -> None:
    busy = a_status(503, headers={"Retry-After": text})
    with serve_double(around=lambda honest: first(busy, then=honest)) as double, a_remote(double.host) as registry:
        assert registry.tags() == ()


# -- slow --------------------------------------------------------------------------------------------------------------


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


def _deaf(connection: socket.socket) -> None:
    """Takes the request for an upload, and then nothing of it."""
    head = read_head(connection)
    if head.startswith(b"HEAD"):
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        head = read_head(connection)
    connection.sendall(b"HTTP/1.1 202 Accepted\r\nLocation: /upload\r\nContent-Length: 0\r\n\r\n")
    time.sleep(30)


TALKS = [
    _silent,
    _dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    _dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
]


def _ask(registry: RemoteRegistry) -> object:
    return registry.manifest("v1")


def _send(registry: RemoteRegistry) -> None:
    large = b"\0" * 20_000_000
    registry.put_blob(described(large), lambda: io.BytesIO(large))


@pytest.mark.parametrize(
    ("talk", "work"), [*((talk, _ask) for talk in TALKS), (_deaf, _send)], ids=["silent", "headers", "body", "deaf"]
)
def test_nobody_waits_for_longer_than_a_call_may_take(talk: Talk, work: Callable[[RemoteRegistry], object]) -> None:
    with serve_raw(talk) as host, a_remote(host, timeout_s=0.5) as registry:
        start = time.monotonic()
        assert "within 0.5 s" in refused(lambda: work(registry)).check
        assert time.monotonic() - start < 2


class _Enough(Exception):
    pass


@pytest.mark.parametrize(
    ("talk", "work"), [*((talk, _ask) for talk in TALKS), (_deaf, _send)], ids=["silent", "headers", "body", "deaf"]
)
def test_a_wish_to_stop_is_heard_at_once(talk: Talk, work: Callable[[RemoteRegistry], object]) -> None:
    end = time.monotonic() + 0.4

    def check() -> None:
        if time.monotonic() > end:
            raise _Enough

    with serve_raw(talk) as host, a_remote(host, check=check) as registry:
        with pytest.raises(_Enough):
            work(registry)
        assert time.monotonic() - end < 1


def test_a_wish_to_stop_is_heard_while_a_registry_asks_to_wait() -> None:
    end = time.monotonic() + 0.4

    def check() -> None:
        if time.monotonic() > end:
            raise _Enough

    with (
        serve_double(around=lambda _: a_status(429, headers={"Retry-After": "20"})) as double,
        a_remote(double.host, check=check) as registry,
        pytest.raises(_Enough),
    ):
        registry.tags()
    assert time.monotonic() - end < 1


def test_a_slow_registry_that_is_in_time_is_waited_for() -> None:
    content = b"slow\n" * 4

    def instead(request: Request) -> Answer | None:
        return slow(content, pause_s=0.02) if request.method == "GET" else None

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        assert blob_of(registry, described(content)) == content


# -- much --------------------------------------------------------------------------------------------------------------


def test_many_threads_at_once_each_get_their_own(docker_registry: DockerRegistry) -> None:
    contents = [b"%d\n" % number * 30_000 for number in range(24)]
    with a_remote(docker_registry.host, "many/threads") as registry, ThreadPoolExecutor(8) as pool:
        blobs = list(pool.map(lambda content: put_blob(registry, content), contents))
        assert list(pool.map(lambda blob: blob_of(registry, blob), blobs)) == contents


# A push and a pull in a process of its own, so that only they count; the file is sparse.
MEASURED = """
import sys
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.registry.remote.repository import RemoteRegistry

host, path, digest, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
blob = Descriptor("application/octet-stream", Digest.parse(digest), size)
with RemoteRegistry(RegistryReference(host, "large/blob"), timeout_s=300) as registry:
    registry.put_blob(blob, lambda: open(path, "rb"))
    received = []
    registry.get_blob(blob, lambda chunk: received.append(len(chunk)))
with open("/proc/self/status") as status:  # what getrusage says begins with what the parent had
    print(sum(received), *(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def test_two_hundred_megabytes_pass_through_less_than_a_hundred(
    docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    size = 200_000_000
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    with path.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, docker_registry.host, path, digest, str(size)],
        env={"PYTHONPATH": str(ROOT / "oci")},
        capture_output=True,
        text=True,
        check=True,
    )
    received, peak_kib = map(int, ran.stdout.split())
    assert received == size
    assert peak_kib < 100_000


def test_where_a_registry_redirects_to_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def instead(request: Request) -> Answer | None:
        return a_redirect("/v2/elsewhere?signature=s3cr3t") if "/manifests/" in request.path else None

    with (
        caplog.at_level(logging.DEBUG),
        serve_double(instead=instead) as double,
        a_remote(double.host) as registry,
    ):
        assert isinstance(refused(lambda: registry.manifest("v1")), NotFound)
    assert len(double.requests) == 2
    assert "s3cr3t" not in caplog.text
