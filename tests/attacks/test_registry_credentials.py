"""Passwords and tokens go to the registry that they are for, and nowhere else (hostile-input: Registries)."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent_sync_oci.errors import AgentSyncError, RegistryError
from agent_sync_oci.registry.remote.repository import RemoteRegistry
from tests.builders.artifacts import blob_of, described, put_blob
from tests.builders.remotes import a_docker_config, a_remote, refused
from tests.real.answers import a_file, a_redirect, a_status, behind_password
from tests.real.authority import Authority
from tests.real.http_server import Answer, HttpServer, Reply, Request, serve
from tests.real.proxy import serve_proxy
from tests.real.registry_double import ServedDouble, serve_double
from tests.real.token_login import TokenLogin

ROOT = Path(__file__).resolve().parents[2]
LOGIN = "ann:s3cr3t"
BASIC = "Basic " + base64.b64encode(LOGIN.encode()).decode()
CONTENT = b"be kind\n" * 5000


def _with_password(answer: Answer) -> Answer:
    return behind_password(answer, user="ann", password="s3cr3t")


def _with_tokens(answer: Answer) -> Answer:
    return TokenLogin(answer, user="ann", password="s3cr3t").answer


@contextmanager
def _elsewhere(answer: Answer | None = None, *, authority: Authority | None = None) -> Iterator[HttpServer]:
    """Another server, which has the blob and would like to have a password as well."""
    with serve(answer or a_file(CONTENT), authority=authority) as server:
        yield server


@contextmanager
def _registry(
    tmp_path: Path,
    *,
    instead: Callable[[Request], Answer | None] = lambda _: None,
    around: Callable[[Answer], Answer] = _with_password,
    others: tuple[HttpServer, ...] = (),
) -> Iterator[tuple[ServedDouble, RemoteRegistry]]:
    """A registry behind a login that the client has; the docker configuration names `others`, too."""
    with serve_double(instead=instead, around=around) as double:
        hosts = [double.host, *(other.url.partition("://")[2] for other in others)]
        config = a_docker_config(tmp_path / "config.json", dict.fromkeys(hosts, LOGIN))
        with a_remote(double.host, docker_config=config) as registry:
            yield double, registry


def _to(part: str, answer: Answer) -> Callable[[Request], Answer | None]:
    return lambda request: answer if part in request.path else None


def _given(requests: list[Request]) -> list[str | None]:
    return [request.headers.get("authorization") for request in requests]


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [_with_password, _with_tokens], ids=["password", "tokens"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_redirect_to_another_port_or_host_gets_no_credentials(
    tmp_path: Path, around: Callable[[Answer], Answer], name: str
) -> None:
    with _elsewhere() as other:
        there = other.url.replace("127.0.0.1", name)
        redirect = _to("/blobs/", a_redirect(f"{there}/blob?signature=s3cr3t"))
        with _registry(tmp_path, instead=redirect, around=around) as (double, registry):
            assert blob_of(registry, described(CONTENT)) == CONTENT
            assert _given(double.requests)[-1] is not None
        assert _given(other.requests) == [None]


def test_a_redirect_within_the_registry_keeps_them(tmp_path: Path) -> None:
    redirect = _to("/blobs/", a_redirect("/elsewhere"))
    there = _to("/elsewhere", a_file(CONTENT))
    with _registry(tmp_path, instead=lambda request: there(request) or redirect(request)) as (double, registry):
        assert blob_of(registry, described(CONTENT)) == CONTENT
        assert _given(double.requests) == [None, BASIC, BASIC]


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, authority: Authority) -> None:
    with (
        _elsewhere() as other,
        serve_double(
            instead=_to("/blobs/", a_redirect(f"{other.url}/b")), around=_with_password, authority=authority
        ) as double,
    ):
        config = a_docker_config(tmp_path / "config.json", {double.host: LOGIN})
        with a_remote(double.host, docker_config=config, authority=authority) as registry:
            assert "not encrypted" in refused(lambda: blob_of(registry, described(CONTENT))).check
        assert other.requests == []


@pytest.mark.parametrize(
    "to", ["file:///etc/hostname", "ftp://files.example/a", "http://[::1", "//", "http://ann:s3cr3t@127.0.0.1/"]
)
def test_a_redirect_to_what_is_no_address_is_refused(tmp_path: Path, to: str) -> None:
    with _registry(tmp_path, instead=_to("/manifests/", a_redirect(to))) as (_, registry):
        assert isinstance(refused(lambda: registry.manifest("v1")), RegistryError)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_sent_is_not_redirected(tmp_path: Path, method: str) -> None:
    def instead(request: Request) -> Answer | None:
        return a_redirect(f"{other.url}/", status=307) if request.method == method else None

    with _elsewhere() as other, _registry(tmp_path, instead=instead) as (_, registry):
        assert "307" in refused(lambda: put_blob(registry, CONTENT)).check
        assert other.requests == []


def _from_outside(to: str) -> AgentSyncError:
    """The refusal of a registry elsewhere (behind a proxy) that redirects to `to`."""
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    with serve_proxy({"registry.example": head.encode()}) as proxy:

        def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
            return httpx.Proxy(proxy.url) if url.host == "registry.example" else None

        with a_remote("registry.example", plain_http=True, proxy_for=proxy_for) as registry:
            return refused(lambda: blob_of(registry, described(CONTENT)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "169.254.169.254", "[fd00:ec2::254]"])
def test_no_registry_elsewhere_sends_us_to_this_machine_or_a_metadata_service(host: str) -> None:
    error = _from_outside(f"http://{host}/latest/?token=s3cr3t")
    assert "on this machine" in error.check or "metadata service" in error.check


# A machine whose resolver says that `rebound.example` is this machine.
REBINDING = """
import socket, sys
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import RegistryError
from agent_sync_oci.reference import RegistryReference
from agent_sync_oci.http.network import Network
from agent_sync_oci.registry.remote.repository import RemoteRegistry
import httpx

truth = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: truth(
    "127.0.0.1" if host == "rebound.example" else host, *rest, **named)
proxy_for = lambda url: httpx.Proxy(sys.argv[2]) if url.host == "registry.example" else None
for host in ("registry.example", sys.argv[1]):
    place = RegistryReference(host, "team/agents")
    try:
        print(RemoteRegistry(place, plain_http=True, timeout_s=20, network=Network(proxy_for=proxy_for)).manifest("v1"))
    except RegistryError as error:
        print(error)
"""


def test_a_name_counts_for_the_address_that_it_leads_to_when_it_is_connected(registry_double: ServedDouble) -> None:
    there = registry_double.host.replace("127.0.0.1", "rebound.example")
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{there}/\r\nContent-Length: 0\r\n\r\n"
    with serve_proxy({"registry.example": head.encode()}) as proxy:
        ran = subprocess.run(
            [sys.executable, "-c", REBINDING, there, proxy.url],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'oci'}"},
            capture_output=True,
            text=True,
            check=True,
        )
    from_outside, named = ran.stdout.splitlines()
    assert "which is on this machine" in from_outside
    assert "MANIFEST_UNKNOWN" in named
    assert len(registry_double.requests) == 1  # the one that was named


# -- uploads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_an_upload_to_another_port_or_host_is_not_sent(tmp_path: Path, name: str) -> None:
    with _elsewhere() as other:
        location = f"{other.url.replace('127.0.0.1', name)}/upload?token=s3cr3t"
        upload = _to("/uploads/", a_status(202, headers={"Location": location}))
        with _registry(tmp_path, instead=upload) as (_, registry):
            error = refused(lambda: put_blob(registry, CONTENT))
            assert "another scheme, host or port" in error.check
        assert other.requests == []


@pytest.mark.parametrize("location", [None, "http://[::1", "https:", "file:///tmp/x"])
def test_an_upload_to_nowhere_is_not_sent(tmp_path: Path, location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    with _registry(tmp_path, instead=_to("/uploads/", a_status(202, headers=headers))) as (_, registry):
        assert isinstance(refused(lambda: put_blob(registry, CONTENT)), RegistryError)


def test_a_next_page_elsewhere_is_not_asked_for(tmp_path: Path) -> None:
    with _elsewhere() as other:
        page = a_status(200, headers={"Link": f'<{other.url}/v2/>; rel="next"'}, body=b'{"tags":["a"]}')
        with _registry(tmp_path, instead=_to("/tags/", page)) as (_, registry):
            assert "another scheme, host or port" in refused(registry.tags).check
        assert other.requests == []


# -- where tokens come from --------------------------------------------------------------------------------------------


def _asking_for_tokens_of(server: HttpServer) -> Callable[[Answer], Answer]:
    return lambda answer: TokenLogin(answer, user="ann", password="s3cr3t", realm=f"{server.url}/token").answer


def test_a_token_server_elsewhere_does_not_get_the_registrys_password(tmp_path: Path) -> None:
    with _elsewhere() as other, _registry(tmp_path, around=_asking_for_tokens_of(other)) as (_, registry):
        error = refused(lambda: registry.manifest("v1"))
        assert "for a token" in error.check
        assert "auths" in (error.remedy or "")
        assert other.requests == []


def test_a_token_server_that_the_user_names_gets_the_password_for_it(tmp_path: Path) -> None:
    with _elsewhere(a_file(b'{"token": "t"}')) as other:
        around = _asking_for_tokens_of(other)
        with _registry(tmp_path, around=around, others=(other,)) as (double, registry):
            refused(lambda: registry.manifest("v1"))
            assert "Bearer t" in _given(double.requests)
        assert set(_given(other.requests)) == {BASIC}


def test_who_has_no_password_asks_any_token_server_as_nobody() -> None:
    with _elsewhere(a_file(b'{"token": "t"}')) as other, serve_double(around=_asking_for_tokens_of(other)) as double:
        with a_remote(double.host) as registry:
            refused(lambda: registry.manifest("v1"))
        assert set(_given(other.requests)) == {None}
        assert "Bearer t" in _given(double.requests)


@pytest.mark.parametrize(
    "realm",
    ["file:///etc/hostname", "x", "", "//", "http://[::1", "http://ann:s3cr3t@127.0.0.1/", "http://169.254.169.254/t"],
)
def test_a_realm_that_is_no_place_for_tokens_is_refused(tmp_path: Path, realm: str) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}
    with _registry(tmp_path, around=lambda _: a_status(401, headers=challenge)) as (_, registry):
        assert isinstance(refused(lambda: registry.manifest("v1")), RegistryError)


@pytest.mark.parametrize(
    "realm",
    [
        "http://{registry}\\@{other}/token",
        "http://{registry}%5C@{other}/token",
        "http://{other}\\@{registry}/token",
        "http://{other}#@{registry}/token",
        "http://{other}?@{registry}/token",
        "http://{registry}%2F@{other}/token",
        "http:/{other}/token",
        "http:{other}/token",
        "http:///{other}/token",
    ],
)
def test_a_realm_that_two_parsers_read_as_two_hosts_gets_no_password(tmp_path: Path, realm: str) -> None:
    """The address is judged as httpx reads it; oras and requests read the same text with a parser of their own."""
    with _elsewhere(a_file(b'{"token": "t"}')) as other:
        host = other.url.partition("://")[2]

        def around(_: Answer) -> Answer:
            def asking(request: Request, reply: Reply) -> None:
                address = realm.format(registry=request.headers["host"], other=host)
                challenge = {"WWW-Authenticate": f'Bearer realm="{address}",service="x"'}
                a_status(401, headers=challenge)(request, reply)

            return asking

        with _registry(tmp_path, around=around) as (_, registry):
            refused(lambda: registry.manifest("v1"))
        assert [each for each in _given(other.requests) if each is not None] == []


def test_a_realm_without_encryption_is_refused_by_a_client_that_uses_it(tmp_path: Path, authority: Authority) -> None:
    with _elsewhere() as other:
        challenge = {"WWW-Authenticate": f'Bearer realm="{other.url}/token"'}
        with serve_double(around=lambda _: a_status(401, headers=challenge), authority=authority) as double:
            config = a_docker_config(tmp_path / "config.json", {double.host: LOGIN})
            with a_remote(double.host, docker_config=config, authority=authority) as registry:
                assert "not encrypted" in refused(lambda: registry.manifest("v1")).check
        assert other.requests == []


def test_the_realm_of_a_password_is_no_address(tmp_path: Path) -> None:
    """oras would take it for the address of a token server, and send the password there."""
    with _elsewhere() as other:
        challenge = {"WWW-Authenticate": f'Basic realm="{other.url}/token"'}
        with _registry(tmp_path, around=lambda _: a_status(401, headers=challenge)) as (double, registry):
            assert "does not accept the login" in refused(lambda: registry.manifest("v1")).check
            assert _given(double.requests) == [None, BASIC]
        assert other.requests == []


@pytest.mark.parametrize("challenge", ["Negotiate", "Digest realm=x", "", "\x80"])
def test_a_login_of_another_kind_is_an_error(tmp_path: Path, challenge: str) -> None:
    headers = {"WWW-Authenticate": challenge}
    with _registry(tmp_path, around=lambda _: a_status(401, headers=headers)) as (_, registry):
        assert "not known" in refused(lambda: registry.manifest("v1")).check


def test_a_registry_that_is_never_content_is_not_asked_for_ever(tmp_path: Path) -> None:
    def never(request: Request, reply: Reply) -> None:
        if request.path == "/token":
            a_file(b'{"token": "t"}')(request, reply)
        else:
            challenge = f'Bearer realm="http://{request.headers["host"]}/token"'
            a_status(401, headers={"WWW-Authenticate": challenge})(request, reply)

    with _registry(tmp_path, around=lambda _: never) as (double, registry):
        assert "401" in refused(lambda: registry.manifest("v1")).check
        assert len(double.requests) <= 8


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token":7}',
        b'{"token":"a\\r\\nX: y"}',
        b'{"token":""}',
        b'{"token":"a","token":"b"}',
        b"x" * 2_000_000,
    ],
)
def test_an_answer_without_a_token_is_an_error(tmp_path: Path, body: bytes) -> None:
    def around(answer: Answer) -> Answer:
        tokens = TokenLogin(answer, user="ann", password="s3cr3t").answer

        def instead(request: Request, reply: Reply) -> None:
            (a_status(200, body=body) if request.path == "/token" else tokens)(request, reply)

        return instead

    with _registry(tmp_path, around=around) as (_, registry):
        assert isinstance(refused(lambda: registry.manifest("v1")), AgentSyncError)
