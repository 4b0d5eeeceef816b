"""An HTTP server on loopback that answers as it is told and remembers what it was asked.

An `Answer` gets the request and a `Reply` to send with. It may send nothing, too little or without end: the connection
closes when it returns. One answer to a connection, so nothing a client pools survives a misbehaviour.
"""

from __future__ import annotations

import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

from tests.real.authority import Authority


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent: header names in lower case, the body whole and not chunked."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Reply:
    """The way back to the client."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler

    def send(self, status: int, headers: Mapping[str, str], body: Iterable[bytes] = ()) -> None:
        """Sends the head and every piece of `body` as soon as it is there; chunked unless `headers` state a length."""
        chunked = "content-length" not in {name.lower() for name in headers}
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        if chunked:
            self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()
        if self._handler.command != "HEAD":
            self._send_body(_in_chunks(body) if chunked else body)

    def _send_body(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._handler.wfile.write(piece)
            self._handler.wfile.flush()


Answer = Callable[[Request, Reply], None]


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A running server: `url` ends without a slash; `requests` in the order in which they were read."""

    url: str
    requests: list[Request]


@contextmanager
def serve(answer: Answer, *, authority: Authority | None = None) -> Iterator[HttpServer]:
    """A server on a free port of 127.0.0.1, over TLS with an `authority`; stopped at the end of the block.

    Raises AssertionError at that end if `answer` itself broke: a client's error would hide it.
    """
    with _Server(answer) as server:
        if authority is not None:
            # The handshake belongs to the thread of the connection: a client that hangs up must not stop `accept`.
            server.socket = authority.server.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        scheme = "http" if authority is None else "https"
        try:
            yield HttpServer(f"{scheme}://127.0.0.1:{server.server_address[1]}", server.requests)
        finally:
            server.shutdown()
            thread.join()
    for request in server.requests:
        print(request, file=sys.stderr)  # pytest shows it when the test fails
    assert not server.failures, "\n".join(server.failures)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.failures: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError, TimeoutError)):
            self.failures.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds

    def do_GET(self) -> None:
        self.close_connection = True
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, _body(self.rfile, headers))
        self.server.requests.append(request)
        self.server.answer(request, Reply(self))

    do_HEAD = do_PATCH = do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: `HttpServer.requests` is the log."""


def _body(stream: BufferedIOBase, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", "0")))
    pieces = []
    while size := int(stream.readline().split(b";")[0], 16):
        pieces.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(pieces)


def _in_chunks(body: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 9112 §7.1."""
    for piece in body:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
