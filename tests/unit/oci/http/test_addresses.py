"""Which peers a client may talk to: the host that the user named, wherever it is, and what a server may name."""

from __future__ import annotations

from ipaddress import ip_address

import httpx
import pytest

from agent_sync_oci.http.addresses import Address, PeerGuard

HERE, THERE, PRIVATE = ip_address("127.0.0.1"), ip_address("203.0.113.7"), ip_address("10.0.0.8")
METADATA = ip_address("169.254.169.254")
BASE = "files.example"


@pytest.mark.parametrize("peer", [HERE, THERE, PRIVATE, METADATA])
def test_the_host_that_the_user_named_may_be_anywhere(peer: Address) -> None:
    guard = PeerGuard(httpx.URL(f"https://{BASE}"))
    for _ in range(2):  # a pool opens more than one connection
        assert guard.refusal(BASE, 443, peer) is None


@pytest.mark.parametrize(
    ("first", "then", "refusal"),
    [
        (THERE, PRIVATE, None),
        (PRIVATE, THERE, None),
        (HERE, ip_address("::1"), None),
        (THERE, HERE, "which is on this machine"),
        (PRIVATE, HERE, "which is on this machine"),
        (THERE, METADATA, "which is a link-local address or a cloud's metadata service"),
        (HERE, METADATA, "which is a link-local address or a cloud's metadata service"),
    ],
)
def test_its_name_may_not_come_to_mean_this_machine_or_a_metadata_service(
    first: Address, then: Address, refusal: str | None
) -> None:
    guard = PeerGuard(httpx.URL(f"https://{BASE}"))
    assert guard.refusal(BASE, 443, first) is None
    assert guard.refusal(BASE, 443, then) == refusal


@pytest.mark.parametrize(
    ("host", "port"), [("elsewhere.example", 443), (BASE, 80)], ids=["another host", "another port"]
)
def test_a_host_that_a_server_named_may_be_on_this_machine_only_if_the_base_is(host: str, port: int) -> None:
    guard = PeerGuard(httpx.URL(f"https://{BASE}"))
    guard.refusal(BASE, 443, THERE)
    assert guard.refusal(host, port, HERE) == "which is on this machine"
    assert guard.refusal(host, port, PRIVATE) is None
    guard = PeerGuard(httpx.URL(f"https://{BASE}"))
    guard.refusal(BASE, 443, HERE)
    assert guard.refusal(host, port, HERE) is None


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://files.example", "files.example", 80),
        ("https://files.example:8443", "files.example", 8443),
        ("http://[::1]:5000", "::1", 5000),
        ("https://b\u00fccher.example", "xn--bcher-kva.example", 443),
    ],
)
def test_the_base_is_known_by_the_host_and_port_that_are_connected_to(url: str, host: str, port: int) -> None:
    assert PeerGuard(httpx.URL(url)).refusal(host, port, METADATA) is None


@pytest.mark.parametrize(
    ("url", "here"), [("http://localhost", True), ("http://127.0.0.1:1", True), ("http://files.example", False)]
)
def test_before_the_first_connection_the_address_itself_tells(url: str, here: bool) -> None:
    assert PeerGuard(httpx.URL(url)).began_here is here
