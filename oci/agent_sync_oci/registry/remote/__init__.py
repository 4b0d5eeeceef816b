"""Registries over HTTP: a place goes in, and a `Registry` comes out that sends credentials nowhere but there.

oras finds the credentials and answers challenges, httpx and its pool of connections carry everything, and what a
server says is believed only as far as it can be checked. Loaded late by whoever uses it: httpx takes 0.1 s.
"""

from __future__ import annotations

from agent_sync_oci.registry.remote.network import Network
from agent_sync_oci.registry.remote.repository import RemoteRegistry

__all__ = ["Network", "RemoteRegistry"]
