"""Registries: the places where bundles lie, whatever they are made of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent_sync.ports.time import Cancellation
    from agent_sync_oci.reference import Place
    from agent_sync_oci.registry.protocol import Registry


class Registries(Protocol):
    """Opens places. What is opened raises `OciError`s, which `ports.translating.translated` makes ours."""

    def open(
        self, place: Place, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        """The repository at that place. No single request may be silent for longer than `timeout_s`.

        `plain_http` lets a registry that is not on this machine be spoken to without TLS.
        """
        ...
