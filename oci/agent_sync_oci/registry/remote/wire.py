"""Requests out, answers in: connections to a registry and to where it sends us, kept open between requests.

Nothing is followed, repeated or logged here, no cookie is kept, and no header is added that was not asked for.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import closing

import httpcore
import httpx

from agent_sync_oci.addresses import Address, fault_of_peer, is_loopback, literal, origin_of
from agent_sync_oci.errors import RegistryFault
from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.patience import Patience
from agent_sync_oci.registry.remote.sockets import Sockets

_SHORT_BYTES = 16 * 1024
_KEPT_OPEN = 8  # as many as transfers run at once
_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")


class Wire:
    """The connections that one `RemoteRegistry` has. Any thread may send."""

    def __init__(self, base: httpx.URL, network: Network, patience: Patience, *, subject: str) -> None:
        self._base = base
        self._network = network
        self._patience = patience
        self._subject = subject
        self._proxies: dict[tuple[str, bytes, int | None], httpx.Proxy | None] = {}
        self._pools: dict[tuple[bool, httpx.URL | None], httpcore.ConnectionPool] = {}
        self._opening = threading.Lock()
        host = literal(base.raw_host)
        self.began_here = host is not None and is_loopback(host)  # the registry is on this machine
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_DISCRETION)

    def send(self, request: httpx.Request) -> httpx.Response:
        """The answer; its body is not read yet, unless it is short.

        Raises: httpcore's errors, RegistryFault (a peer that is refused, too much time).
        """
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = request.url
        raw = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
        )
        with _DISCRETION.kept():
            answer = self._pool(url).handle_request(raw)
        response = httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), request=request)
        return _read_at_once(response) if _is_short(response) else response

    def close(self) -> None:
        """No connection is open."""
        with self._opening:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        origin = origin_of(url)
        with self._opening:
            if origin not in self._proxies:  # whoever finds them may read files for it
                self._proxies[origin] = self._network.proxy_for(url)
            proxy = self._proxies[origin]
            key = (url.scheme == "https", None if proxy is None else proxy.url)
            if key not in self._pools:
                self._pools[key] = self._opened(proxy, encrypted=url.scheme == "https")
            return self._pools[key]

    def _opened(self, proxy: httpx.Proxy | None, *, encrypted: bool) -> httpcore.ConnectionPool:
        authorities = self._network.authorities() if encrypted else None
        if proxy is None:
            return httpcore.ConnectionPool(
                ssl_context=authorities,
                max_connections=None,
                max_keepalive_connections=_KEPT_OPEN,
                network_backend=Sockets(self._patience, self._judge),
            )
        return httpcore.HTTPProxy(
            proxy_url=httpcore.URL(
                scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
            ),
            proxy_auth=proxy.raw_auth,
            proxy_headers=proxy.headers.raw,
            ssl_context=authorities,
            proxy_ssl_context=proxy.ssl_context,
            max_connections=None,
            max_keepalive_connections=_KEPT_OPEN,
            network_backend=Sockets(self._patience, _a_proxy_is_wherever_it_is),
        )

    def _judge(self, host: str, port: int, peer: Address) -> None:
        """Refuses a peer that only the registry has named: a name may stand for another address each time."""
        if (host, port) == (self._base.host, self._base.port or _DEFAULT_PORTS[self._base.scheme]):
            self.began_here = is_loopback(peer)
            return
        fault = fault_of_peer(peer, began_here=self.began_here)
        if fault is not None:
            raise RegistryFault(
                subject=self._subject,
                check=f"it sends us to {host}:{port}, {fault}",
                remedy="do not use it: no honest registry does that",
            )


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _a_proxy_is_wherever_it_is(_host: str, _port: int, _peer: Address) -> None:
    """The machine's own settings name it."""


class _Body(httpx.SyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _is_short(response: httpx.Response) -> bool:
    length = response.headers.get("content-length", "")
    return response.request.method == "HEAD" or (length.isascii() and length.isdigit() and int(length) <= _SHORT_BYTES)


def _read_at_once(response: httpx.Response) -> httpx.Response:
    """The same answer, its connection free for the next request: one whose body nobody read would have to be closed."""
    with closing(response):
        body = b"".join(response.iter_raw())
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), request=response.request
    )


class _Discretion(logging.Filter):
    """Keeps what our threads do out of the log of a program that uses this as a library: at DEBUG, httpcore logs the
    headers of every answer, and with them where it redirects to, often an address that is itself a key.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ours = threading.local()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        self._ours.busy = True
        try:
            yield
        finally:
            self._ours.busy = False

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(self._ours, "busy", False)


_DISCRETION = _Discretion()
