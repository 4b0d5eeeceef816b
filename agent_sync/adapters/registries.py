"""Places on this machine and on the network, opened as registries."""

from __future__ import annotations

import posixpath
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent_sync.ports import Cancellation
from agent_sync_oci.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync_oci.registry.remote import Network


class MachineRegistries:
    """Implements `ports.Registries`. Each kind is loaded when the first place of it is opened."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` says where credentials lie, which authorities count and which proxies to use."""
        self._environment = environment
        self._authorities = cache(partial(_authorities, environment))  # reading them takes tens of milliseconds

    def open(
        self, place: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        match place:
            case LayoutReference():
                from agent_sync_oci.registry.layout import LayoutRegistry

                return LayoutRegistry(place.directory)
            case ArchiveReference():
                from agent_sync_oci.registry.archive import ArchiveRegistry

                return ArchiveRegistry(place.file)
            case RegistryReference():
                from agent_sync_oci.registry.remote import RemoteRegistry

                return RemoteRegistry(
                    place,
                    plain_http=plain_http or None,
                    timeout_s=timeout_s,
                    network=self._network(),
                    check=cancellation.check,
                )

    def _network(self) -> Network:
        """What this machine has for reaching registries."""
        from agent_sync.adapters.http.proxies import proxy_for
        from agent_sync_oci.registry.remote import Network

        return Network(
            authorities=self._authorities,
            proxy_for=lambda url: proxy_for(url, self._environment, authorities=self._authorities),
            docker_config=_docker_config(self._environment),
        )


def _authorities(environment: Mapping[str, str]) -> ssl.SSLContext:
    from agent_sync.adapters.http.trust import tls_context

    return tls_context(environment)


def _docker_config(environment: Mapping[str, str]) -> Path | None:
    """The file that `docker login` writes: in DOCKER_CONFIG, else below the home."""
    directory = environment.get("DOCKER_CONFIG")
    if not directory and (home := environment.get("HOME")):
        directory = posixpath.join(home, ".docker")
    return Path(directory, "config.json") if directory else None
