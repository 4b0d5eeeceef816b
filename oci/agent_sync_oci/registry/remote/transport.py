"""Requests out, responses in: pooled connections to a registry and to where it redirects, each peer judged first.

Nothing is followed, retried or logged here, no cookie is kept, and no header is added that was not asked for.
"""

from __future__ import annotations

import contextlib
import logging
import select
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpcore
import httpx

from agent_sync_oci.addresses import Address, is_loopback, literal_address, origin_of, parse_address, peer_refusal
from agent_sync_oci.errors import RegistryError
from agent_sync_oci.registry.remote.deadline import POLL_S, Deadline
from agent_sync_oci.registry.remote.network import Network

# -- Connections that nobody waits for longer than a call may take, to peers that have been judged.

ConnectGuard = Callable[[str, int, Address], None]
"""Gets the host and port that were asked for and the address that was reached; raises to refuse it."""

_CONNECT_S = 10.0
_READ_BYTES = 256 * 1024  # httpcore asks for 64 KiB, which costs a tenth more
_WRITE_BYTES = 32 * 1024  # fits into the buffer of a socket that is said to be writable


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections for one pool. A peer is judged before a byte is sent to it."""

    def __init__(self, patience: Deadline, judge: ConnectGuard) -> None:
        self._backend = httpcore.SyncBackend()
        self._patience = patience
        self._judge = judge

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the patience of the call decides
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        wait_s = min(self._patience.left_s(), _CONNECT_S)
        try:
            stream = self._backend.connect_tcp(host, port, wait_s, local_address, socket_options)
        except UnicodeError as error:  # a label of 64 characters, an empty one
            raise httpcore.ConnectError("it is no name of a host") from error
        with ExitStack() as on_error:
            on_error.callback(stream.close)  # nobody else has it yet
            self._judge(host, port, parse_address(stream.get_extra_info("server_addr")[0]))
            on_error.pop_all()
        return _Stream(stream, self._patience)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is short, so that a wish to stop is heard and the end of the time noticed."""

    def __init__(self, stream: httpcore.NetworkStream, patience: Deadline) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        while True:
            try:
                return self._stream.read(max(max_bytes, _READ_BYTES), self._patience.tick_s())
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """In pieces, each when there is room: a send that was cut short would not say how much it has sent."""
        room = select.poll()
        room.register(self._stream.get_extra_info("socket"), select.POLLOUT)
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._patience.left_s()
            while not room.poll(POLL_S * 1000):
                self._patience.left_s()
            self._stream.write(buffer[start : start + _WRITE_BYTES], self._patience.left_s())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        wait_s = min(self._patience.left_s(), _CONNECT_S)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait_s), self._patience)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._stream.get_extra_info(info)


# -- Requests out, answers in: connections to a registry and to where it sends us, kept open between requests. Nothing
# is followed, repeated or logged here, no cookie is kept, and no header is added that was not asked for.

_SHORT_BYTES = 16 * 1024
_KEEPALIVE = 8  # as many as transfers run at once
_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")


class Transport:
    """The connections that one `RemoteRegistry` has. Any thread may send."""

    def __init__(self, base: httpx.URL, network: Network, patience: Deadline, *, subject: str) -> None:
        self._base = base
        self._network = network
        self._patience = patience
        self._subject = subject
        self._proxies: dict[tuple[str, bytes, int | None], httpx.Proxy | None] = {}
        self._pools: dict[tuple[bool, httpx.URL | None], httpcore.ConnectionPool] = {}
        self._opening = threading.Lock()
        host = literal_address(base.raw_host)
        self.began_here = host is not None and is_loopback(host)  # the registry is on this machine
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_LOG_FILTER)

    def send(self, request: httpx.Request) -> httpx.Response:
        """The answer; its body is not read yet, unless it is short.

        Raises: httpcore's errors, RegistryError (a peer that is refused, too much time).
        """
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = request.url
        raw = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
        )
        with _LOG_FILTER.kept():
            answer = self._pool(url).handle_request(raw)
        response = httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), request=request)
        return _buffered(response) if _is_short(response) else response

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
                max_keepalive_connections=_KEEPALIVE,
                network_backend=GuardedBackend(self._patience, self._judge),
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
            max_keepalive_connections=_KEEPALIVE,
            network_backend=GuardedBackend(self._patience, _no_guard),
        )

    def _judge(self, host: str, port: int, peer: Address) -> None:
        """Refuses a peer that only the registry has named: a name may stand for another address each time."""
        if (host, port) == (self._base.host, self._base.port or _DEFAULT_PORTS[self._base.scheme]):
            self.began_here = is_loopback(peer)
            return
        fault = peer_refusal(peer, began_here=self.began_here)
        if fault is not None:
            raise RegistryError(
                subject=self._subject,
                check=f"it sends us to {host}:{port}, {fault}",
                remedy="do not use it: no honest registry does that",
            )


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _no_guard(_host: str, _port: int, _peer: Address) -> None:
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


def _buffered(response: httpx.Response) -> httpx.Response:
    """The same answer, its connection free for the next request: one whose body nobody read would have to be closed."""
    with closing(response):
        body = b"".join(response.iter_raw())
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), request=response.request
    )


class _LogFilter(logging.Filter):
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


_LOG_FILTER = _LogFilter()
