"""HttpClient: requests to one origin, and to where its server redirects them."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import httpx

from agent_sync_oci.errors import NetworkError
from agent_sync_oci.http.addresses import Address, PeerGuard, origin_of, redirect_refusal
from agent_sync_oci.http.network import Network
from agent_sync_oci.http.retry import Deadline
from agent_sync_oci.http.transport import Connections, Transport
from agent_sync_oci.text import quoted

_REMEDY = "if that address is meant, name it yourself; otherwise do not use this server"


class HttpClient:
    """Sends requests to the origin of `base`, and follows redirects from there. Any thread may send.

    Whoever sends says which headers a request has; `is_origin` tells where secrets may go. Errors are of the class
    `error`, and name `subject`.
    """

    def __init__(
        self,
        base: httpx.URL,
        network: Network,
        deadline: Deadline,
        *,
        subject: str,
        error: type[NetworkError] = NetworkError,
        connect_timeout_s: float = math.inf,
        opened: Connections | None = None,
    ) -> None:
        self.base = base
        self._subject = subject
        self._error = error
        self._transport = Transport(network, deadline, self._guard, connect_timeout_s=connect_timeout_s, opened=opened)
        self._peers = PeerGuard(base)

    def send(self, request: httpx.Request) -> httpx.Response:
        """Return the response to this very request, its body not read yet. Raises as `Transport.send`."""
        return self._transport.send(request)

    def follow(
        self, url: httpx.URL, send: Callable[[httpx.URL], httpx.Response], *, max_redirects: int
    ) -> httpx.Response:
        """Return the response that is no redirect; `send` is called for each address. Raises `error`."""
        for _ in range(max_redirects + 1):
            response = send(url)
            if not response.has_redirect_location:
                return response
            with closing(response):  # unread: who redirects may send a body of any length
                url = self._redirect_target(url, response.headers["location"])
        raise self._error(
            subject=self._subject,
            check=f"the server redirects more than {max_redirects} times",
            remedy="use the final address",
        )

    def is_origin(self, url: httpx.URL) -> bool:
        """Return whether this address has the scheme, host and port of the base: secrets go nowhere else."""
        return origin_of(url) == origin_of(self.base)

    def within(self, current: httpx.URL, location: str, *, what: str) -> httpx.URL:
        """Return where a header leads, which must be the origin; `what` begins the error's check. Raises `error`."""
        target = self._join(current, location, what)
        # The same host on another port may be another user's server.
        if not self.is_origin(target):
            raise self._refused(what, target, "which is another scheme, host or port")
        return target

    def allowed(self, address: str, *, what: str) -> httpx.URL:
        """Return an address that the server names, if a redirect might lead there. Raises `error`."""
        try:
            target = httpx.URL(address)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._refused(what, None, "which is not an address") from error
        return self._judged(self.base, target, what)

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def _redirect_target(self, current: httpx.URL, location: str) -> httpx.URL:
        what = "the server redirects"
        return self._judged(current, self._join(current, location, what), what)

    def _judged(self, current: httpx.URL, target: httpx.URL, what: str) -> httpx.URL:
        refusal = redirect_refusal(current, target, began_here=self._peers.began_here)
        if refusal is not None:
            raise self._refused(what, target, refusal)
        return target

    def _join(self, current: httpx.URL, location: str, what: str) -> httpx.URL:
        try:
            return current.join(location)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._refused(what, None, "which is not an address") from error

    def _guard(self, host: str, port: int, peer: Address) -> None:
        refusal = self._peers.refusal(host, port, peer)
        if refusal is not None:
            raise self._error(
                subject=self._subject, check=f"the server redirects to {host}:{port}, {refusal}", remedy=_REMEDY
            )

    def _refused(self, what: str, target: httpx.URL | None, refusal: str) -> NetworkError:
        # Not the whole address: its path or its query may be a key.
        where = "something" if target is None else quoted_origin(target)
        return self._error(subject=self._subject, check=f"{what} to {where}, {refusal}", remedy=_REMEDY)


def quoted_origin(url: httpx.URL) -> str:
    """Return as much of an address as cannot be a secret."""
    return quoted(f"{url.scheme}://{url.netloc.decode('ascii')}")
