"""CNCF distribution (Debian's docker-registry) on loopback: open, behind a password, behind tokens, with TLS.

It has no referrers API: version 2.8 is from before it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.authority import Authority
from tests.real.components import require
from tests.real.registry_tokens import ISSUER, SERVICE, TokenServer

USER, PASSWORD = "ann", "s3cr3t"
_HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu35fBIWlNgF8BcAW/t2cO158N8svSFHy\n"  # bcrypt, the cheapest there is
_LISTENING = re.compile(rb"listening on (127\.0\.0\.1:[0-9]+)")


@dataclass(frozen=True, slots=True)
class DockerRegistry:
    """A running registry: `host` is what a reference begins with, `content` where it keeps everything."""

    host: str
    content: Path

    def damage(self, digest: str, content: bytes) -> None:
        """A blob or manifest has other bytes."""
        digits = digest.removeprefix("sha256:")
        data = self.content / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"
        assert data.is_file()
        data.write_bytes(content)


@contextmanager
def serve_docker_registry(
    directory: Path, *, password: bool = False, tokens: TokenServer | None = None, authority: Authority | None = None
) -> Iterator[DockerRegistry]:
    """A registry on a free port that keeps its content below `directory`; `password` asks for USER and PASSWORD."""
    program = require("docker-registry")
    settings = _settings(directory, authority)
    if password:
        (directory / "htpasswd").write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "the registry of the tests", "path": str(directory / "htpasswd")}}
    if tokens is not None:
        token = {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER}
        settings["auth"] = {"token": {**token, "rootcertbundle": str(tokens.authority_file)}}
    configuration = directory / "registry.yml"
    configuration.write_text(json.dumps(settings))  # every JSON is YAML
    log = directory / "log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [program, "serve", configuration],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env={"PATH": os.environ["PATH"]},
        ) as process,
    ):
        try:
            yield DockerRegistry(_where_it_listens(log), directory / "content")
        finally:
            process.kill()


def _where_it_listens(log: Path) -> str:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        found = _LISTENING.search(log.read_bytes())
        if found is not None:
            return found[1].decode()
        time.sleep(0.01)
    raise AssertionError(log.read_text())


def _settings(directory: Path, authority: Authority | None) -> dict[str, object]:
    http: dict[str, object] = {"addr": "127.0.0.1:0"}
    if authority is not None:
        http["tls"] = {"certificate": str(authority.server_file), "key": str(authority.server_file)}
    return {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "content")}},
        "http": http,
    }
