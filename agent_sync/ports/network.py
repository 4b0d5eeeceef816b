"""The network: one URL at a time, and the registries that hold bundles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from agent_sync.ports.time import Cancellation

if TYPE_CHECKING:
    from agent_sync_oci.reference import Reference
    from agent_sync_oci.registry.protocol import Registry


# -- The network: one URL at a time.


class Fetcher(Protocol):
    """Gets one URL. May be used by several threads at once."""

    def fetch(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        max_bytes: int,
        timeout_s: float,
        cancellation: Cancellation,
    ) -> None:
        """Every byte of the body goes to `write`, as the server has it; the caller's thread does the writing.

        What came before an error has been written. Raises NetworkError (unreachable, status, a redirect that is
        refused), LimitExceeded (`max_bytes`, `timeout_s`), Cancelled, FileSystemError (credentials, authorities), and
        what `write` raises.
        """
        ...


# -- Registries: the places where bundles lie, whatever they are made of.


class Registries(Protocol):
    """Opens registries, layouts and archives by reference."""

    def open(
        self, place: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        """The repository at that place. No single request may be silent for longer than `timeout_s`.

        `plain_http` lets a registry that is not on this machine be spoken to without TLS.
        """
        ...
