"""How a remote registry is reached: encrypted or not, through a proxy, and what is loaded for it."""

from __future__ import annotations

import socket
import subprocess
import sys
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from agent_sync_oci.errors import NotFound, RegistryError
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob
from tests.builders.remotes import a_docker_config, a_remote, refused
from tests.real.answers import a_status, behind_password
from tests.real.authority import Authority
from tests.real.http_server import Answer, Reply, Request
from tests.real.proxy import serve_proxy
from tests.real.raw_server import serve_raw
from tests.real.registry_double import ServedDouble, serve_double
from tests.real.token_login import TokenLogin

ROOT = Path(__file__).resolve().parents[4]


def test_a_registry_on_this_machine_is_spoken_to_without_tls(registry_double: ServedDouble) -> None:
    for host in (registry_double.host, registry_double.host.replace("127.0.0.1", "localhost")):
        with a_remote(host) as registry:
            assert registry.tags() == ()


def test_any_other_registry_is_spoken_to_with_tls_unless_somebody_says_otherwise() -> None:
    with serve_proxy({"registry.example": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}) as proxy:
        for plain_http in (None, False, True):
            with a_remote(
                "registry.example", plain_http=plain_http, proxy_for=lambda _: httpx.Proxy(proxy.url)
            ) as registry:
                refused(partial(registry.manifest, "v1"))
        assert proxy.asked[-1] == "GET http://registry.example/v2/team/agents/manifests/v1"
        assert set(proxy.asked[:-1]) == {"CONNECT registry.example:443"}


def test_tls_is_spoken_even_on_this_machine_if_somebody_says_so(authority: Authority) -> None:
    with serve_double(authority=authority) as double:
        with a_remote(double.host, authority=authority) as registry:
            manifest = put_artifact(registry, b"one", tag="v1")
            assert registry.manifest("v1") == manifest
        with a_remote(double.host) as registry:
            assert isinstance(refused(registry.tags), RegistryError)


def test_a_certificate_of_nobody_we_trust_is_refused_before_anything_is_asked(authority: Authority) -> None:
    with serve_double(authority=authority) as double, a_remote(double.host, plain_http=False) as registry:
        error = refused(registry.tags)
        assert "certificate is not accepted" in error.check
        assert "SSL_CERT_FILE" in (error.remedy or "")
        assert double.requests == []


def test_a_registry_is_reached_through_a_proxy(authority: Authority) -> None:
    with (
        serve_double(authority=authority) as double,
        serve_proxy({"localhost:443": double.server.url}) as proxy,
        a_remote("localhost", authority=authority, proxy_for=lambda _: httpx.Proxy(proxy.url)) as registry,
    ):
        manifest = put_artifact(registry, b"one" * 10_000, tag="v1")
        assert registry.manifest("v1") == manifest
        assert set(proxy.asked) == {"CONNECT localhost:443"}


def test_a_proxy_gets_its_own_password_and_not_the_registrys(tmp_path: Path, authority: Authority) -> None:
    def around(answer: Answer) -> Answer:
        return behind_password(answer, user="ann", password="s3cr3t")

    with (
        serve_double(around=around, authority=authority) as double,
        serve_proxy({"localhost:443": double.server.url}) as proxy,
    ):
        config = a_docker_config(tmp_path / "config.json", {"localhost": "ann:s3cr3t"})
        address = proxy.url.replace("//", "//bob:pr0xy@")
        with a_remote(
            "localhost", authority=authority, docker_config=config, proxy_for=lambda _: httpx.Proxy(address)
        ) as registry:
            assert registry.tags() == ()
        assert all("Basic Ym9iOnByMHh5" in head and "YW5uOnMzY3IzdA==" not in head for head in proxy.heads)
        assert not any("proxy-authorization" in request.headers for request in double.requests)
        assert double.requests[-1].headers["authorization"] == "Basic YW5uOnMzY3IzdA=="


def test_whoever_is_asked_for_proxies_is_asked_once_for_each_origin(registry_double: ServedDouble) -> None:
    asked: list[str] = []
    with a_remote(registry_double.host, proxy_for=lambda url: asked.append(str(url))) as registry:
        put_artifact(registry, b"one")
    assert len(asked) == 1


def test_an_ipv6_address_is_reached() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serve_raw(talk, host="::1") as place, a_remote(place) as registry:
        assert isinstance(refused(lambda: registry.manifest("v1")), NotFound)


def test_one_connection_carries_what_is_said_one_after_the_other() -> None:
    connections = []

    def talk(connection: socket.socket) -> None:
        connections.append(connection)
        while connection.recv(65_536):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here!")

    with serve_raw(talk) as place, a_remote(place) as registry:
        for tag in ("v1", "v2", "v3"):
            refused(partial(registry.manifest, tag))
    assert len(connections) == 1


LOADED = """
import sys
from agent_sync_oci.reference import RegistryReference
import agent_sync_oci.registry.protocol, agent_sync_oci.registry.memory
print([name for name in ("httpx", "httpcore", "oras", "requests") if name in sys.modules])
from agent_sync_oci.registry.remote.repository import RemoteRegistry
with RemoteRegistry(RegistryReference(sys.argv[1], "a"), timeout_s=20) as registry:
    registry.tags()
print([name for name in ("oras", "requests") if name in sys.modules])
"""


def test_httpx_is_loaded_for_a_registry_and_oras_only_for_one_that_asks_who_we_are(
    registry_double: ServedDouble,
) -> None:
    words = [sys.executable, "-c", LOADED, registry_double.host]
    ran = subprocess.run(words, env={"PYTHONPATH": str(ROOT / "oci")}, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "[]"]


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io"])
def test_docker_hub_is_asked_where_it_answers(host: str) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with (
        serve_proxy({"registry-1.docker.io": answer}) as proxy,
        a_remote(host, plain_http=True, proxy_for=lambda _: httpx.Proxy(proxy.url)) as registry,
    ):
        assert registry.name == f"{host}/team/agents"
        assert isinstance(refused(lambda: registry.manifest("v1")), NotFound)


# -- blobs of another repository ---------------------------------------------------------------------------------------

CONTENT = b"be kind\n" * 5000


def test_a_blob_of_another_repository_is_mounted_and_not_sent(registry_double: ServedDouble) -> None:
    with a_remote(registry_double.host, "team/other") as other, a_remote(registry_double.host) as registry:
        blob = put_blob(other, CONTENT)
        registry.put_blob(blob, _nobody_reads, mount_from="team/other")
        assert blob_of(registry, blob) == CONTENT
    assert sum(request.method == "PUT" for request in registry_double.requests) == 1


@pytest.mark.parametrize("answer", [None, *(a_status(status) for status in (400, 401, 403, 404, 405))])
def test_a_blob_that_is_not_mounted_is_sent(answer: Answer | None) -> None:
    def instead(request: Request) -> Answer | None:
        return answer if "mount" in request.query else None

    with serve_double(instead=instead) as double, a_remote(double.host) as registry:
        registry.put_blob(described(CONTENT), lambda: BytesIO(CONTENT), mount_from="team/other")
        assert blob_of(registry, described(CONTENT)) == CONTENT


def test_a_token_server_that_refuses_the_other_repository_does_not_hinder_the_push(tmp_path: Path) -> None:
    def around(answer: Answer) -> Answer:
        tokens = TokenLogin(answer, user="ann", password="s3cr3t").answer

        def strict(request: Request, reply: Reply) -> None:
            is_refused = request.path == "/token" and "other" in request.query
            (a_status(403) if is_refused else tokens)(request, reply)

        return strict

    with serve_double(around=around) as double:
        config = a_docker_config(tmp_path / "config.json", {double.host: "ann:s3cr3t"})
        with a_remote(double.host, docker_config=config) as registry:
            registry.put_blob(described(CONTENT), lambda: BytesIO(CONTENT), mount_from="team/other")
            assert blob_of(registry, described(CONTENT)) == CONTENT


def _nobody_reads() -> BinaryIO:
    raise AssertionError("it is there")
