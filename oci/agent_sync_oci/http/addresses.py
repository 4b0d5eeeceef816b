"""Judge where a redirect may lead.

Never to less protection, and never from outside to this machine or to the metadata service of a cloud.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Protocol

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds hand out credentials to whoever asks from inside, apart from the link-local 169.254.169.254.
_METADATA = frozenset(ipaddress.ip_address(each) for each in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 §2.5.5.1; holds ::1 and :: as well


class Url(Protocol):
    """The parts of an address that matter here.

    `httpx.URL` has them; a second parser might read another host out of the same text.
    """

    @property
    def scheme(self) -> str: ...

    @property
    def raw_host(self) -> bytes: ...

    @property
    def port(self) -> int | None: ...

    @property
    def userinfo(self) -> bytes: ...


def origin_of(url: Url) -> tuple[str, bytes, int | None]:
    """Return scheme, host and port (RFC 6454 section 4), which decide who may see credentials."""
    # httpx leaves a default port out.
    return url.scheme, url.raw_host.lower(), url.port


def redirect_refusal(current: Url, target: Url, *, began_here: bool) -> str | None:
    """Return why `current` may not redirect to `target`, as far as the address tells; None if it may."""
    if target.scheme not in ("http", "https") or not target.raw_host:
        return "which is not an http(s) address"
    if current.scheme == "https" and target.scheme == "http":
        return "which is not encrypted"
    if target.userinfo:
        return "which carries credentials"
    host = literal_address(target.raw_host)
    return None if host is None else peer_refusal(host, began_here=began_here)


def peer_refusal(peer: Address, *, began_here: bool) -> str | None:
    """Return why a redirect may not lead to this peer; None if it may.

    `began_here`: the address that was asked for is on this machine.
    """
    if peer.is_link_local or peer.is_multicast or peer in _METADATA:
        return "which is a link-local address or a cloud's metadata service"
    if is_loopback(peer) and not began_here:
        return "which is on this machine"
    return None


class PeerGuard:
    """Judges the peers that a client reaches, before a byte is sent to them.

    The base is the address that the user has named: its host may be anywhere, on this machine, too, but must stay where
    it was first reached. Any other host was named by a server. What counts is the address that was reached, because a
    name may stand for another one each time it is resolved.
    """

    def __init__(self, base: Url) -> None:
        self._base = base.raw_host.decode("ascii").strip("[]"), base.port or _DEFAULT_PORTS.get(base.scheme)
        self._first_peer: Address | None = None
        host = literal_address(base.raw_host)
        self.began_here = host is not None and is_loopback(host)
        """Whether the base is on this machine, as far as is known yet."""

    def refusal(self, host: str, port: int, peer: Address) -> str | None:
        """Return why `peer` must not be talked to, which was reached for this host and port; None if it may."""
        if (host, port) == self._base:
            if self._first_peer is None:
                self._first_peer = peer
                self.began_here = is_loopback(peer)
            if peer == self._first_peer:
                return None
        return peer_refusal(peer, began_here=self.began_here)


def is_loopback(address: Address) -> bool:
    """Return whether the address is on this machine, as 0.0.0.0 and :: are, too."""
    return address.is_loopback or address.is_unspecified


def literal_address(raw_host: bytes) -> Address | None:
    """Return the address that a host is by itself, in any form that a resolver accepts; None for a name.

    `localhost` and its subdomains always mean this machine (RFC 6761 section 6.3).
    """
    host = raw_host.decode("ascii", "replace").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return parse_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433, 0x7f.1, 017700000001
    except (OSError, ValueError):
        return None


def parse_address(text: str) -> Address:
    """Return the address in this text; one of version 4 that is embedded in version 6 is unwrapped.

    Raises ValueError for a name.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is not None:
        return inside
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
