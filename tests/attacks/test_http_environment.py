"""What the environment says about proxies, authorities and logins, and who never learns of it."""

from __future__ import annotations

import base64
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent_sync.adapters.network import HttpFetcher
from agent_sync.errors import FileSystemError, NetworkError
from tests.builders.command_line import CommandMachine, a_machine
from tests.builders.fetching import a_fetcher, a_netrc, body_of, refusal_of
from tests.real import answers
from tests.real.authority import Authority
from tests.real.http_server import Answer, Reply, Request
from tests.real.https_files import FileServer
from tests.real.proxy import serve_proxy

TOKEN = "s3cr3t-t0ken"


# -- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_is_asked_for_http(http_files: FileServer, name: str) -> None:
    http_files.publish("a", b"x")
    with serve_proxy({"files.example": http_files.server.url}) as proxy:
        assert body_of("http://files.example/a", a_fetcher(**{name: proxy.url})) == b"x"
        assert proxy.asked == ["GET http://files.example/a"]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_proxy_only_tunnels_https(https_files: FileServer, authority: Authority, name: str) -> None:
    https_files.publish("a", b"x")
    with serve_proxy({"localhost:443": https_files.server.url}) as proxy:
        assert body_of("https://localhost/a?token=1", a_fetcher(authority, **{name: proxy.url})) == b"x"
        assert proxy.asked == ["CONNECT localhost:443"]
        assert "token" not in "".join(proxy.heads)


def test_a_certificate_for_another_name_is_refused(https_files: FileServer, authority: Authority) -> None:
    with serve_proxy({"files.example:443": https_files.server.url}) as proxy:
        error = refusal_of("https://files.example/a", a_fetcher(authority, https_proxy=proxy.url))
    assert isinstance(error, NetworkError)
    assert "certificate is not accepted: Hostname mismatch" in error.check
    assert https_files.requests == []


@pytest.mark.parametrize("no_proxy", ["*", "127.0.0.1", "x.example, 127.0.0.1", "127.0.0.0/8"])
def test_no_proxy_leads_past_it(http_files: FileServer, no_proxy: str) -> None:
    url = http_files.publish("a", b"x")
    with serve_proxy({}) as proxy:
        assert body_of(url, a_fetcher(http_proxy=proxy.url, no_proxy=no_proxy)) == b"x"
        assert proxy.asked == []


@pytest.mark.parametrize("no_proxy", ["", "example.org", "les.example", "10.0.0.0/8", "nonsense/8", ",,"])
def test_no_proxy_of_others_does_not(http_files: FileServer, no_proxy: str) -> None:
    http_files.publish("a", b"x")
    with serve_proxy({"files.example": http_files.server.url}) as proxy:
        assert body_of("http://files.example/a", a_fetcher(http_proxy=proxy.url, no_proxy=no_proxy)) == b"x"


def test_the_environment_that_was_handed_in_counts_and_not_that_of_the_process(http_files: FileServer) -> None:
    url = http_files.publish("a", b"x")
    with serve_proxy({}) as proxy:
        os.environ["http_proxy"] = os.environ["ALL_PROXY"] = proxy.url  # the fixture `home` takes them away again
        assert body_of(url, a_fetcher()) == b"x"
        assert proxy.asked == []


def test_a_request_header_does_not_become_a_proxy(http_files: FileServer) -> None:
    url = http_files.publish("a", b"x")
    with serve_proxy({}) as proxy:
        assert body_of(url, a_fetcher(HTTP_PROXY=proxy.url, REQUEST_METHOD="GET")) == b"x"  # httpoxy
        assert proxy.asked == []


@pytest.mark.parametrize("address", ["socks5://u:s3cr3t@127.0.0.1:1", "http://", "http://u:s3cr3t@[::1", "\x01"])
def test_a_proxy_that_is_none_is_an_error_that_does_not_show_it(address: str) -> None:
    error = refusal_of("http://files.example/a", a_fetcher(http_proxy=address))
    assert isinstance(error, NetworkError)
    assert "http_proxy" in error.subject
    assert "s3cr3t" not in str(error)


def test_the_password_of_a_proxy_goes_to_it_alone(http_files: FileServer) -> None:
    http_files.publish("a", b"x")
    with serve_proxy({"files.example": http_files.server.url}) as proxy:
        fetcher = a_fetcher(http_proxy=proxy.url.replace("//", "//ann:s3cr3t@"))
        assert body_of("http://files.example/a", fetcher) == b"x"
        assert base64.b64encode(b"ann:s3cr3t").decode() in proxy.heads[0]
        assert "s3cr3t" not in str(refusal_of("http://nowhere.example/a", fetcher))


# -- authorities and logins ------------------------------------------------------------------------------------------


def test_ssl_cert_file_and_dir_name_whom_to_trust(
    https_files: FileServer, authority: Authority, tmp_path: Path
) -> None:
    url = https_files.publish("a", b"x")
    assert body_of(url, a_fetcher(SSL_CERT_FILE=str(authority.ca_file))) == b"x"
    (tmp_path / "empty").mkdir()
    assert isinstance(refusal_of(url, a_fetcher(SSL_CERT_DIR=str(tmp_path / "empty"))), NetworkError)


class CountedEnvironment(dict[str, str]):
    """Counts how often the file of authorities is looked up."""

    lookups = 0

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401  # as `dict` has it
        self.lookups += key == "SSL_CERT_FILE"
        return super().get(key, default)


def test_authorities_are_read_once_for_all_that_are_fetched_at_once(
    https_files: FileServer, authority: Authority
) -> None:
    environment = CountedEnvironment(SSL_CERT_FILE=str(authority.ca_file))
    fetcher = HttpFetcher(environment)
    urls = [https_files.publish(f"{number}", b"x") for number in range(8)]
    with ThreadPoolExecutor(len(urls)) as pool:
        assert set(pool.map(partial(body_of, fetcher=fetcher), urls)) == {b"x"}
    assert environment.lookups == 1


@pytest.mark.parametrize("content", [None, "", "not a certificate", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_file_of_authorities_that_is_none_is_a_clear_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    error = refusal_of("https://127.0.0.1:1/a", a_fetcher(SSL_CERT_FILE=str(file)))
    assert isinstance(error, FileSystemError)
    assert "SSL_CERT_FILE" in error.subject


def test_the_netrc_of_the_home_counts(http_files: FileServer, tmp_path: Path) -> None:
    a_netrc("machine 127.0.0.1 login ann password s3cr3t", str(tmp_path / ".netrc"))
    url = http_files.publish("a", answers.behind_password(answers.a_file(b"x"), user="ann", password="s3cr3t"))
    assert body_of(url, a_fetcher(HOME=str(tmp_path))) == b"x"
    assert "netrc" in (refusal_of(url, a_fetcher(HOME=str(tmp_path / "nobody"))).remedy or "")


def test_a_user_name_in_the_address_chooses_the_login(http_files: FileServer, tmp_path: Path) -> None:
    fetcher = a_fetcher(**a_netrc("machine 127.0.0.1 login ann password s3cr3t", str(tmp_path / "netrc")))
    url = http_files.publish("a", answers.behind_password(answers.a_file(b"x"), user="ann", password="s3cr3t"))
    assert body_of(url.replace("//", "//ann@"), fetcher) == b"x"
    assert "401" in refusal_of(url.replace("//", "//bob@"), fetcher).check
    sent = http_files.requests[-1].headers["authorization"].split()[1]
    assert base64.b64decode(sent) == b"bob:"


@pytest.mark.parametrize("content", [b"machine a login b password s3cr3t nonsense", b"\xff\xfe\x00s3cr3t", b'"s3cr3t'])
def test_a_netrc_that_makes_no_sense_is_an_error_that_does_not_show_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "netrc"
    file.write_bytes(content)
    error = refusal_of("http://127.0.0.1:1/a", a_fetcher(NETRC=str(file)))
    assert isinstance(error, FileSystemError)
    assert "s3cr3t" not in f"{error}{error.__cause__}"


# -- who learns of a secret ------------------------------------------------------------------------------------------


def test_a_program_that_logs_everything_logs_no_address(
    http_files: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    there = http_files.publish("b", b"x")
    url = http_files.publish("a", answers.a_redirect(f"{there}?X-Amz-Signature={TOKEN}"))
    assert body_of(f"{url}?token={TOKEN}") == b"x"
    assert [request.query for request in http_files.requests] == [f"token={TOKEN}", f"X-Amz-Signature={TOKEN}"]
    assert TOKEN not in caplog.text
    logging.getLogger("httpcore.http11").debug("what others say")
    assert "what others say" in caplog.text


def _machine(directory: Path, url: str, checksum: str) -> CommandMachine:
    config = (
        f'version: 1\nsources:\n  - name: policy\n    type: url\n    url: "{url}"\n    checksum: sha256:{checksum}\n'
        "targets:\n  - {source: policy, tools: [cursor]}\n"
    )
    return a_machine(directory, {"agent-sync.yaml": config})


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_token_reaches_the_server_and_nobody_else(tmp_path: Path, http_files: FileServer) -> None:
    on_command_lines: list[bytes] = []

    def looking_around(request: Request, reply: Reply) -> None:
        assert request.query == f"token={TOKEN}"
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                on_command_lines.append(process.read_bytes())
            except OSError:  # it has ended
                continue
        reply.send(200, {"Content-Length": "0"})

    url = http_files.publish("policy.md", looking_around) + f"?token={TOKEN}"
    machine = _machine(tmp_path, url, EMPTY)
    said = machine.run("update", "--yes", "--json", "--verbose").said + machine.run("sync", "--verbose").said
    said += machine.run("info", "--json").said + machine.run("check", "--verbose").said
    assert len(http_files.requests) == 1
    assert b"update" in b"".join(on_command_lines)
    written = [path.read_bytes() for path in [*machine.project.rglob("*"), *machine.home.rglob("*")] if path.is_file()]
    elsewhere = [each for each in written if each != (machine.project / "agent-sync.yaml").read_bytes()]
    assert machine.locked("policy")["resolved"]["url"].endswith("policy.md?token=***")
    assert TOKEN.encode() not in b"".join([said.encode(), *elsewhere, *on_command_lines])


@pytest.mark.parametrize(
    "answer",
    [answers.html(), answers.a_status(503), answers.nothing, answers.a_redirect(f"file:///x?token={TOKEN}")],
    ids=["page", "status", "nothing", "redirect"],
)
def test_no_failure_shows_the_token(tmp_path: Path, http_files: FileServer, answer: Answer) -> None:
    url = http_files.publish("policy.md", answer) + f"?token={TOKEN}"
    machine = _machine(tmp_path, url, EMPTY)
    for words in (["--verbose"], ["--verbose", "--json"]):
        ran = machine.run("update", "--yes", *words, expect=None)
        assert ran.code in (5, 8)
        assert "token=***" in ran.said
        assert TOKEN not in ran.said
    assert not machine.exists("agent-sync.lock")


def test_a_page_in_place_of_the_file_is_found_out_by_its_checksum(tmp_path: Path, http_files: FileServer) -> None:
    machine = _machine(tmp_path, http_files.publish("policy.md", answers.html()), EMPTY)
    ran = machine.run("update", "--yes", expect=5)
    assert "policy" in ran.err
    assert EMPTY in ran.err
    assert "web page" in ran.err
    assert not machine.exists("agent-sync.lock")
