"""Addresses: protocols, what git and ssh would misread, and allow-lists."""

from __future__ import annotations

import pytest

from agent_sync.sources.addresses import in_allow_list, protocol_of, repository_problem, url_problem


@pytest.mark.parametrize(
    ("address", "protocol"),
    [
        ("https://github.com/org/rules.git", "https"),
        ("HTTPS://github.com/org/rules.git", "https"),
        ("http://localhost:8080/r", "http"),
        ("git://host/r", "git"),
        ("ssh://git@host:2222/r", "ssh"),
        ("git@github.com:org/rules.git", "ssh"),
        ("host.example:rules.git", "ssh"),
        ("file:///srv/r.git", "file"),
        ("/srv/r.git", "file"),
        ("../r.git", "file"),
        ("./a:b", "file"),
        ("C:/r", "file"),
        ("ext::sh -c id", None),
        ("fd::7", None),
        ("ftp://host/r", None),
        ("git+ssh://host/r", None),
    ],
)
def test_the_protocol_of_an_address(address: str, protocol: str | None) -> None:
    assert protocol_of(address) == protocol


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/org/rules.git",
        "ssh://git@host:2222/r",
        "git@host:r",
        "https://[::1]:8080/r",
        "file:///srv/r.git",
        "/srv/with space/r.git",
        "../r.git",
    ],
)
def test_an_address_that_git_may_have(address: str) -> None:
    assert repository_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "--upload-pack=touch /tmp/x",
        "-x",
        "ext::sh -c id",
        "ssh://-oProxyCommand=id/r",
        "ssh://-x@host/r",
        "-oProxyCommand=id:r",
        "host.example:-r",
        "https://host\n/r",
        "https://host/\x00",
        "https:///r",
        "https://a@b@host/r",
        "https://host#.allowed.example/r",
        "https://evil.example\\@host/r",
        "https://host:port/r",
    ],
)
def test_an_address_that_git_or_ssh_would_misread_is_refused(address: str) -> None:
    assert repository_problem(address) is not None


@pytest.mark.parametrize(
    "address", ["https://host/p.md", "http://host:8080/p.md?x=1#y", "https://host", "https://host/ü"]
)
def test_an_address_that_a_file_may_have(address: str) -> None:
    assert url_problem(address) is None


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "p.md", "ftp://host/p", "https://", "https:///p", "https://h/a b", "ssh://h/p", "git@h:p"],
)
def test_an_address_that_no_file_can_be_fetched_from(address: str) -> None:
    assert url_problem(address) is not None


@pytest.mark.parametrize(
    ("address", "pattern"),
    [
        ("https://github.com/acme/x.git", "https://github.com/acme/*"),
        ("https://GitHub.com:443/acme/x", "HTTPS://github.com/acme/*"),
        ("https://me@github.com/acme/x", "https://github.com/acme/*"),
        ("git@github.com:acme/x.git", "git@github.com:acme/*"),
        ("git@github.com:acme/x.git", "ssh://github.com/acme/*"),
        ("ssh://git@github.com:22/acme/x.git", "git@github.com:acme/*"),
        ("https://git.acme.example/a/b/c", "https://*.acme.example/**"),
        ("https://github.com/acme/x", "https://github.com/acme/x"),
        ("/srv/git/x", "/srv/git/*"),
        ("anything:at-all", "**"),
    ],
)
def test_an_address_is_in_an_allow_list(address: str, pattern: str) -> None:
    assert in_allow_list(address, ["https://elsewhere.example/**", pattern])


@pytest.mark.parametrize(
    ("address", "pattern"),
    [
        ("https://github.com/acme/x/y", "https://github.com/acme/*"),
        ("https://github.com/acme-evil/x", "https://github.com/acme/*"),
        ("https://github.com.evil.example/acme/x", "https://github.com/acme/*"),
        ("https://github.com@evil.example/acme/x", "https://github.com/acme/*"),
        ("http://github.com/acme/x", "https://github.com/acme/*"),
        ("https://github.com:8443/acme/x", "https://github.com/acme/*"),
        ("https://github.com/acme/../evil/x", "https://github.com/acme/**"),
        ("https://github.com/acme/%2e%2E/evil/x", "https://github.com/acme/**"),
        ("https://github.com/acme/..%2fevil/x", "https://github.com/acme/**"),
        ("/srv/git/../../home/x", "/srv/git/**"),
        ("https://evil.example/x.acme.example/y", "https://*.acme.example/**"),
        ("ssh://eve@github.com/acme/x", "ssh://git@github.com/acme/*"),
        ("git@github.com:acme/x.git", "https://github.com/acme/*"),
    ],
)
def test_an_address_that_only_resembles_one_is_not_in_the_list(address: str, pattern: str) -> None:
    assert not in_allow_list(address, [pattern])


def test_an_empty_list_allows_nothing() -> None:
    assert not in_allow_list("https://github.com/acme/x", [])
