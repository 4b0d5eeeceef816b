"""Requests out, responses in, over pooled connections; each peer is judged before a byte is sent to it.

Nothing is followed, retried or logged here, no cookie is kept, and no header is added that was not asked for. httpcore
is used without httpx's client, which would write addresses to the log, carry cookies from one host to the next, and
read the environment of the process.
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import httpcore
import httpx

from agent_sync_oci.http.addresses import Address, origin_of, parse_address
from agent_sync_oci.http.network import Network
from agent_sync_oci.http.retry import POLL_S, Deadline

ConnectGuard = Callable[[str, int, Address], None]
"""Gets the host and port that were asked for and the address that was reached; raises to refuse it."""

_READ_BYTES = 256 * 1024  # httpcore asks for 64 KiB, which costs a tenth more
_WRITE_BYTES = 32 * 1024  # fits into the buffer of a socket that is said to be writable
_KEEPALIVE = 8  # as many as transfers run at once
_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")


class Connections:
    """The sockets that a call has opened, which another thread can cut at any moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def add(self, connection: socket.socket) -> None:
        """Cut this one with the others; at once if they already are.

        A duplicate is kept, because the owner closes the original or hands it over to TLS; a shutdown reaches both.
        """
        with self._lock:
            self._sockets.append(connection.dup())
            if self._is_cut:
                self._cut()

    def check(self) -> None:
        """Raise ConnectionAbortedError if the connections were cut."""
        if self._is_cut:
            raise ConnectionAbortedError

    def cut(self) -> None:
        """Make whoever reads from or writes to one of them fail now."""
        with self._lock:
            self._is_cut = True
            self._cut()

    def _cut(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):  # the peer was faster
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()


class Transport:
    """The connections of one client, kept open between requests. Any thread may send.

    `guard` judges the peers that are reached without a proxy. `connect_timeout_s` is for each connection and each TLS
    handshake, within the deadline. `opened` hears of every socket.
    """

    def __init__(
        self,
        network: Network,
        deadline: Deadline,
        guard: ConnectGuard,
        *,
        connect_timeout_s: float = math.inf,
        opened: Connections | None = None,
    ) -> None:
        self._network = network
        self._deadline = deadline
        self._guard = guard
        self._connect_timeout_s = connect_timeout_s
        self._connections = opened
        self._proxies: dict[tuple[str, bytes, int | None], httpx.Proxy | None] = {}
        self._pools: dict[tuple[bool, httpx.URL | None], httpcore.ConnectionPool] = {}
        self._opening = threading.Lock()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_LOG_FILTER)

    def send(self, request: httpx.Request) -> httpx.Response:
        """Return the response, its body not read yet.

        Raises: httpcore's errors (`retry.CONNECTION_ERRORS`), what the guard raises, and as `Deadline.remaining_s`.
        """
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = request.url
        raw = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
        )
        with _LOG_FILTER.silenced():
            response = self._pool(url).handle_request(raw)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            request=request,
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        with self._opening:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        origin = origin_of(url)
        with self._opening:
            if origin not in self._proxies:  # once for each: finding a proxy may read files
                self._proxies[origin] = self._network.proxy_for(url)
            proxy = self._proxies[origin]
            key = (url.scheme == "https", None if proxy is None else proxy.url)
            if key not in self._pools:
                self._pools[key] = self._new_pool(proxy, encrypted=url.scheme == "https")
            return self._pools[key]

    def _new_pool(self, proxy: httpx.Proxy | None, *, encrypted: bool) -> httpcore.ConnectionPool:
        authorities = self._network.authorities() if encrypted else None
        if proxy is None:
            return httpcore.ConnectionPool(
                ssl_context=authorities,
                max_connections=None,
                max_keepalive_connections=_KEEPALIVE,
                network_backend=self._backend(self._guard),
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
            # The machine's own settings name the proxy, wherever it is.
            network_backend=self._backend(_allow_any),
        )

    def _backend(self, guard: ConnectGuard) -> GuardedBackend:
        return GuardedBackend(self._deadline, guard, self._connect_timeout_s, self._connections)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens the connections of one pool, to peers that its guard allows."""

    def __init__(
        self, deadline: Deadline, guard: ConnectGuard, connect_timeout_s: float, opened: Connections | None
    ) -> None:
        self._backend = httpcore.SyncBackend()
        self._deadline = deadline
        self._guard = guard
        self._connect_timeout_s = connect_timeout_s
        self._opened = opened

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline of the call decides
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        wait_s = min(self._deadline.remaining_s(), self._connect_timeout_s)
        try:
            stream = self._backend.connect_tcp(host, port, wait_s, local_address, socket_options)
        except UnicodeError as error:  # a label of 64 characters, an empty one
            raise httpcore.ConnectError("not the name of a host") from error
        with ExitStack() as on_error:
            on_error.callback(stream.close)
            if self._opened is not None:
                self._opened.add(stream.get_extra_info("socket"))
            # By the address that was reached: a name may stand for another one each time it is resolved.
            self._guard(host, port, parse_address(stream.get_extra_info("server_addr")[0]))
            on_error.pop_all()
        return _Stream(stream, self._deadline, self._connect_timeout_s)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is short, so that a cancellation and the deadline are noticed."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline, connect_timeout_s: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._connect_timeout_s = connect_timeout_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        while True:
            try:
                return self._stream.read(max(max_bytes, _READ_BYTES), self._deadline.poll_s())
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send in pieces, each when there is room: a send that is cut short would not say how much it has sent."""
        room = select.poll()
        room.register(self._stream.get_extra_info("socket"), select.POLLOUT)
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._deadline.remaining_s()
            while not room.poll(POLL_S * 1000):
                self._deadline.remaining_s()
            self._stream.write(buffer[start : start + _WRITE_BYTES], self._deadline.remaining_s())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        wait_s = min(self._deadline.remaining_s(), self._connect_timeout_s)
        stream = self._stream.start_tls(ssl_context, server_hostname, wait_s)
        return _Stream(stream, self._deadline, self._connect_timeout_s)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._stream.get_extra_info(info)


class _Body(httpx.SyncByteStream):
    """The body of a response, as it comes."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def _allow_any(_host: str, _port: int, _peer: Address) -> None:
    """Refuse no peer."""


class _LogFilter(logging.Filter):
    """Keeps requests out of the log of a program that uses this one as a library.

    At DEBUG, httpcore logs the headers of every response, and with them where it redirects to: often an address that is
    itself a key.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.local()

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Log nothing of what this thread does in the block."""
        self._thread.is_silent = True
        try:
            yield
        finally:
            self._thread.is_silent = False

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(self._thread, "is_silent", False)


_LOG_FILTER = _LogFilter()
