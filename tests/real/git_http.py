"""Real git repositories over smart HTTP: `git http-backend` behind a loopback server that counts what it is asked."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.real.answers import behind_password
from tests.real.authority import Authority
from tests.real.components import require
from tests.real.http_server import Answer, HttpServer, Reply, Request, serve


@dataclass(frozen=True, slots=True)
class GitHttpServer:
    """A running server of every repository below one directory."""

    server: HttpServer

    def url(self, repository: str) -> str:
        """Where `repository` (its path below the directory) is served."""
        return f"{self.server.url}/{repository}"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order."""
        return self.server.requests

    @property
    def conversations(self) -> int:
        """How often a client asked what there is: one `git fetch`, `clone` or `ls-remote` is one."""
        return sum(request.path.endswith("/info/refs") for request in self.requests)

    @property
    def fetches(self) -> int:
        """How often a pack was asked for (protocol 2: `command=fetch` that ends with `done` or knows nothing yet)."""
        return sum(_asks_for_a_pack(request) for request in self.requests)


@contextmanager
def serve_git(
    directory: Path,
    *,
    settings: Mapping[str, str] | None = None,
    login: tuple[str, str] | None = None,
    authority: Authority | None = None,
    instead: Mapping[str, Answer] | None = None,
) -> Iterator[GitHttpServer]:
    """Serves the bare repositories below `directory` on a free port of loopback.

    `settings` are the server's git configuration (default: uploadpack.allowFilter on), `login` a user and password to
    ask for, `authority` switches TLS on, and `instead` answers some paths without git (a redirect, an error).
    """
    git = require("git")
    chosen = {"uploadpack.allowFilter": "true"} if settings is None else settings
    backend = _backend(git, directory, chosen)
    answer = _with_exceptions(backend, instead or {})
    if login is not None:
        answer = behind_password(answer, user=login[0], password=login[1])
    with serve(answer, authority=authority) as server:
        yield GitHttpServer(server)


def _with_exceptions(backend: Answer, instead: Mapping[str, Answer]) -> Answer:
    def answer(request: Request, reply: Reply) -> None:
        instead.get(request.path, backend)(request, reply)

    return answer


def _backend(git: Path, directory: Path, settings: Mapping[str, str]) -> Answer:
    def answer(request: Request, reply: Reply) -> None:
        # The body comes from a file: through a pipe, a long negotiation would wait for us while we wait for it.
        with TemporaryFile() as body:
            body.write(request.body)
            body.seek(0)
            _run_backend(git, body, _cgi_environment(request, directory, settings), reply)

    return answer


def _run_backend(git: Path, body: IO[bytes], environment: Mapping[str, str], reply: Reply) -> None:
    with subprocess.Popen(
        [git, "http-backend"], env=environment, stdin=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert isinstance(process.stdout, BufferedReader)
        try:
            _relay(process.stdout, reply)
        finally:
            process.kill()  # a client that hung up leaves it writing into nothing


def _relay(output: BufferedReader, reply: Reply) -> None:
    head = b""
    while (line := output.readline()) not in (b"", b"\r\n", b"\n"):
        head += line
    headers = dict(BytesHeaderParser().parsebytes(head).items())
    status = int(headers.pop("Status", "200").split()[0])
    reply.send(status, headers, iter(lambda: output.read1(65_536), b""))


def _cgi_environment(request: Request, directory: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """RFC 3875, and what git-http-backend(1) adds to it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(directory),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{
            name: value
            for number, (key, setting) in enumerate(settings.items())
            for name, value in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", setting))
        },
    }


def _asks_for_a_pack(request: Request) -> bool:
    if not request.path.endswith("/git-upload-pack"):
        return False
    packed = request.headers.get("content-encoding") in ("gzip", "x-gzip")
    body = gzip.decompress(request.body) if packed else request.body
    if request.headers.get("git-protocol") == "version=2":
        return b"command=fetch" in body and b"0009done\n" in body
    return b"0009done\n" in body
