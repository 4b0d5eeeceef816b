"""Registries in memory, which keep their content until the end of the test."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from agent_sync.ports import Cancellation
from agent_sync_oci.reference import Reference
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import Registry


class MemoryRegistries:
    """Implements `ports.Registries`. `opened` has the references that were asked for, in order."""

    def __init__(self) -> None:
        self.registries: dict[str, MemoryRegistry] = {}
        self.opened: list[Reference] = []

    def open(
        self, reference: Reference, *, timeout_s: float, cancellation: Cancellation, plain_http: bool = False
    ) -> AbstractContextManager[Registry]:
        del timeout_s, cancellation, plain_http
        self.opened.append(reference)
        return nullcontext(self.registries.setdefault(reference.name, MemoryRegistry(reference.name)))
