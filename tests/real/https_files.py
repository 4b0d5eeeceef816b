"""A web server for single files, with or without TLS; every file answers in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.answers import a_file, a_status
from tests.real.authority import Authority
from tests.real.http_server import Answer, HttpServer, Reply, Request, serve


@dataclass(frozen=True, slots=True)
class FileServer:
    """A running file server; what is not published is 404."""

    server: HttpServer
    _published: dict[str, Answer] = field(repr=False)

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order."""
        return self.server.requests

    def publish(self, path: str, content: bytes | Answer) -> str:
        """The URL under which `content` is from now on to be had; bytes are served honestly."""
        self._published[f"/{path}"] = a_file(content) if isinstance(content, bytes) else content
        return f"{self.server.url}/{path}"


@contextmanager
def serve_files(*, authority: Authority | None) -> Iterator[FileServer]:
    """A file server on a free port of loopback; without an `authority` over plain HTTP."""
    published: dict[str, Answer] = {}

    def answer(request: Request, reply: Reply) -> None:
        published.get(request.path, a_status(404, body=b"no such file"))(request, reply)

    with serve(answer, authority=authority) as server:
        yield FileServer(server, published)


@contextmanager
def serve_directory(directory: Path) -> Iterator[str]:
    """The address, without a slash at its end, under which the directory's files are served as they are at that
    time.
    """

    def answer(request: Request, reply: Reply) -> None:
        place = directory / request.path.lstrip("/")
        (a_file(place.read_bytes()) if place.is_file() else a_status(404))(request, reply)

    with serve(answer) as server:
        yield server.url
