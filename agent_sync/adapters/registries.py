"""Open registries, image layouts and archives by reference."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from agent_sync.ports import Cancellation

if TYPE_CHECKING:
    from agent_sync_oci.http.network import Network
    from agent_sync_oci.reference import Reference, RegistryReference
    from agent_sync_oci.registry.protocol import Registry


class MachineRegistries:
    """Implements `ports.Registries`. Each kind is imported when the first of it is opened."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` says where credentials are, which authorities are trusted, and which proxies to use."""
        self._environment = environment
        self._network: Network | None = None

    def open(
        self, reference: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        from agent_sync_oci.reference import ArchiveReference, LayoutReference, RegistryReference

        match reference:
            case LayoutReference():
                from agent_sync_oci.registry.layout import LayoutRegistry

                return LayoutRegistry(reference.directory)
            case ArchiveReference():
                from agent_sync_oci.registry.archive import ArchiveRegistry

                return ArchiveRegistry(reference.file)
            case RegistryReference():
                return self._open_remote(reference, timeout_s, cancellation, plain_http=plain_http)

    def _open_remote(
        self, reference: RegistryReference, timeout_s: float, cancellation: Cancellation, *, plain_http: bool
    ) -> AbstractContextManager[Registry]:
        from agent_sync_oci.http.network import Network
        from agent_sync_oci.registry.remote.repository import RemoteRegistry

        if self._network is None:  # once: it keeps the certificate authorities that it has read
            self._network = Network.of(self._environment)
        return RemoteRegistry(
            reference,
            plain_http=plain_http or None,
            timeout_s=timeout_s,
            timeout_remedy="try again, or raise fetch_timeout under `limits:`",
            network=self._network,
            check=cancellation.check,
        )
