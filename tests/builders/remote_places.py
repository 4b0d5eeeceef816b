"""Registries over HTTP as places: CNCF distribution in each of its guises, and the double, which lists referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.registry.protocol import Registry
from tests.builders.remotes import a_docker_config, a_remote
from tests.real.authority import Authority, an_authority
from tests.real.docker_registry import PASSWORD, USER, DockerRegistry, serve_docker_registry
from tests.real.go_registry import serve_go_registry
from tests.real.registry_double import RegistryDouble, serve_double
from tests.real.registry_tokens import serve_tokens

RemotePlace = tuple[Callable[[], Registry], Callable[[Digest, bytes], object]]
"""How it is opened, and how what lies there is damaged (a skip where only the registry itself could do that)."""

MakeRemote = Callable[[Path], AbstractContextManager[RemotePlace]]

_REPOSITORY = "team/agents"


@contextmanager
def docker_registry(directory: Path) -> Iterator[RemotePlace]:
    """Open to everyone."""
    with serve_docker_registry(directory) as server:
        yield _of(server)


@contextmanager
def docker_registry_with_password(directory: Path) -> Iterator[RemotePlace]:
    """Behind a password that a docker configuration holds."""
    with serve_docker_registry(directory, password=True) as server:
        yield _of(server, a_docker_config(directory / "config.json", {server.host: f"{USER}:{PASSWORD}"}))


@contextmanager
def docker_registry_with_tokens(directory: Path) -> Iterator[RemotePlace]:
    """Behind a token server on another port, which has to be named before it gets a password."""
    with (
        serve_tokens(directory, user=USER, password=PASSWORD) as tokens,
        serve_docker_registry(directory, tokens=tokens) as server,
    ):
        yield _of(server, a_docker_config(directory / "config.json", {tokens.host: f"{USER}:{PASSWORD}"}))


@contextmanager
def docker_registry_with_tls(directory: Path) -> Iterator[RemotePlace]:
    """With a certificate of an authority of its own."""
    authority = an_authority(directory)
    with serve_docker_registry(directory, authority=authority) as server:
        yield _of(server, authority=authority)


@contextmanager
def go_registry(_: Path) -> Iterator[RemotePlace]:
    """With the referrers API."""
    with serve_go_registry() as host:
        yield lambda: a_remote(host, _REPOSITORY), lambda *_: pytest.skip("what it has is in its memory")


@contextmanager
def registry_double(_: Path) -> Iterator[RemotePlace]:
    """With the referrers API."""
    with serve_double() as double:
        yield lambda: a_remote(double.host, _REPOSITORY), lambda *change: _damage(double.registry, *change)


def _of(server: DockerRegistry, docker_config: Path | None = None, authority: Authority | None = None) -> RemotePlace:
    def opened() -> Registry:
        return a_remote(server.host, _REPOSITORY, docker_config=docker_config, authority=authority)

    return opened, server.damage


def _damage(registry: RegistryDouble, digest: Digest, content: bytes) -> None:
    key = (_REPOSITORY, str(digest))
    if key in registry.blobs:
        registry.blobs[key] = content
    if key in registry.manifests:
        registry.manifests[key] = (registry.manifests[key][0], content)
