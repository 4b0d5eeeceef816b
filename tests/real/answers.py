"""How an HTTP server may answer: properly, and in every way that has hurt a client (hostile-input: HTTP)."""

from __future__ import annotations

import base64
import gzip
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from tests.real.http_server import Answer, Reply, Request

_BYTES = "application/octet-stream"


def a_file(body: bytes, *, content_type: str = _BYTES) -> Answer:
    """The whole body with its length: what an honest server does."""
    return _answer(200, {"Content-Type": content_type, "Content-Length": str(len(body))}, lambda: iter([body]))


def a_status(status: int, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """`status` with a short body, such as 404 or 503."""
    return _answer(status, {"Content-Length": str(len(body)), **(headers or {})}, lambda: iter([body]))


def a_redirect(to: str, *, status: int = 302) -> Answer:
    """Sends the client to another place, whatever scheme and host that is."""
    return a_status(status, headers={"Location": to})


def html(*, status: int = 200) -> Answer:
    """A page for people in place of the file: a captive portal, a login form."""
    return a_status(status, headers={"Content-Type": "text/html"}, body=b"<!doctype html><title>Sign in</title>")


def short(body: bytes, *, missing: int = 1) -> Answer:
    """`missing` bytes fewer than announced, then the connection closes."""
    return _answer(200, {"Content-Length": str(len(body) + missing)}, lambda: iter([body]))


def longer(body: bytes, *, extra: bytes = b"!") -> Answer:
    """The body and then `extra`; no length is announced."""
    return _answer(200, {"Content-Type": _BYTES}, lambda: iter([body, extra]))


def endless(piece: bytes = b"\0" * 65_536) -> Answer:
    """Never stops while the client listens."""
    return _answer(200, {"Content-Type": _BYTES}, lambda: itertools.repeat(piece))


def slow(body: bytes, *, pause_s: float, piece_bytes: int = 1) -> Answer:
    """The honest body, `piece_bytes` at a time with a pause before each."""

    def dripping() -> Iterator[bytes]:
        for start in range(0, len(body), piece_bytes):
            time.sleep(pause_s)
            yield body[start : start + piece_bytes]

    return _answer(200, {"Content-Length": str(len(body))}, dripping)


def gzipped(body: bytes) -> Answer:
    """The body under Content-Encoding: gzip, whether the client accepts that or not."""
    packed = gzip.compress(body, mtime=0)
    return _answer(200, {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}, lambda: iter([packed]))


def nothing(_request: Request, _reply: Reply) -> None:
    """Closes the connection without a word."""


def behind_password(answer: Answer, *, user: str, password: str) -> Answer:
    """`answer` for who knows the password, 401 for everyone else (RFC 7617)."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    refusal = a_status(401, headers={"WWW-Authenticate": 'Basic realm="tests"'})

    def guarded(request: Request, reply: Reply) -> None:
        chosen = answer if request.headers.get("authorization") == expected else refusal
        chosen(request, reply)

    return guarded


def first(*answers: Answer, then: Answer) -> Answer:
    """Each of `answers` once, in order, and `then` for ever: a server that fails before it recovers."""
    waiting = list(answers)
    lock = threading.Lock()

    def changing(request: Request, reply: Reply) -> None:
        with lock:
            chosen = waiting.pop(0) if waiting else then
        chosen(request, reply)

    return changing


def _answer(status: int, headers: Mapping[str, str], body: Callable[[], Iterator[bytes]]) -> Answer:
    def answer(_request: Request, reply: Reply) -> None:
        reply.send(status, headers, body())

    return answer
