"""A web proxy on loopback that leads every host of the internet to servers of the test, and records who asked it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.real.raw_server import read_head, serve_raw


@dataclass(frozen=True, slots=True)
class Proxy:
    """`url` is for the environment variables; `heads`: each request, up to its empty line."""

    url: str
    heads: list[str]

    @property
    def asked(self) -> list[str]:
        """What was asked for, in order: `GET http://a/b`, `CONNECT a:443`."""
        return [head.split(" HTTP/")[0] for head in self.heads]


@contextmanager
def serve_proxy(hosts: Mapping[str, str | bytes]) -> Iterator[Proxy]:
    """A proxy for `host:port`: leads there to the URL of a server, or gives these bytes as the answer; else 502."""
    heads: list[str] = []

    def talk(connection: socket.socket) -> None:
        head = read_head(connection)
        heads.append(head.decode("latin-1"))
        method, target = head.split(b" ")[:2]
        place = target.decode() if method == b"CONNECT" else target.decode().split("/")[2]
        leads_to = hosts.get(place, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        if isinstance(leads_to, bytes):
            connection.sendall(leads_to)
            return
        host, port = leads_to.split("/")[2].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as onward:
            if method == b"CONNECT":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                onward.sendall(head.replace(b"http://" + place.encode(), b"", 1))
            back = threading.Thread(target=_copy, args=(onward, connection), daemon=True)
            back.start()
            _copy(connection, onward)
            back.join(5)

    with serve_raw(talk) as place:
        yield Proxy(f"http://{place}", heads)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # either side hung up
        return
