"""Connections that nobody waits for longer than a call may take, to peers that have been judged."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from agent_sync_oci.addresses import Address, plain
from agent_sync_oci.registry.remote.patience import TICK_S, Patience

Judge = Callable[[str, int, Address], None]
"""Gets the host and port that were asked for and the address that was reached; raises to refuse it."""

_CONNECT_S = 10.0
_MOST_AT_ONCE = 256 * 1024  # httpcore asks for 64 KiB, which costs a tenth more
_PIECE_BYTES = 32 * 1024  # fits into the buffer of a socket that is said to be writable


class Sockets(httpcore.NetworkBackend):
    """Opens connections for one pool. A peer is judged before a byte is sent to it."""

    def __init__(self, patience: Patience, judge: Judge) -> None:
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
        try:
            self._judge(host, port, plain(stream.get_extra_info("server_addr")[0]))
        except BaseException:
            stream.close()  # nobody else has it yet
            raise
        return _Stream(stream, self._patience)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is short, so that a wish to stop is heard and the end of the time noticed."""

    def __init__(self, stream: httpcore.NetworkStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        while True:
            try:
                return self._stream.read(max(max_bytes, _MOST_AT_ONCE), self._patience.tick_s())
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """In pieces, each when there is room: a send that was cut short would not say how much it has sent."""
        room = select.poll()
        room.register(self._stream.get_extra_info("socket"), select.POLLOUT)
        for start in range(0, len(buffer), _PIECE_BYTES):
            self._patience.left_s()
            while not room.poll(TICK_S * 1000):
                self._patience.left_s()
            self._stream.write(buffer[start : start + _PIECE_BYTES], self._patience.left_s())

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
