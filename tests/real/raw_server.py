"""A server below HTTP: each connection is given to a function that may say, or not say, anything at all."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Talk = Callable[[socket.socket], None]


@contextmanager
def serve_raw(talk: Talk, *, host: str = "127.0.0.1") -> Iterator[str]:
    """`host:port` of a server; a connection lives as long as `talk` runs, at most until the end of the block."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    open_connections: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the client hung up, or the block is over
            talk(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_connections.append(connection)
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    with socket.create_server((host, 0), family=family) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            port = listener.getsockname()[1]
            yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            accepting.join()
            for connection in open_connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> bytes:
    """A request up to its empty line."""
    head = b""
    while b"\r\n\r\n" not in head and (more := connection.recv(65_536)):
        head += more
    return head


def saying(*pieces: bytes) -> Talk:
    """Reads a request, answers with these pieces, and closes."""

    def talk(connection: socket.socket) -> None:
        read_head(connection)
        for piece in pieces:
            connection.sendall(piece)

    return talk
