"""Nix: how it sees files, and its store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent_sync.ports.time import Cancellation


class Nix(Protocol):
    """Nix on this machine. Only `copy` needs it to be installed."""

    @property
    def store_dir(self) -> str:
        """Where its store lies: a part of every store path."""
        ...

    def hash(self, path: str, *, cancellation: Cancellation) -> str:
        """The narHash of whatever lies at the absolute path: a file, a folder, a symbolic link.

        Raises: FileFault (nothing there, a device, no permission), ContentMismatch (it changed meanwhile), Cancelled.
        """
        ...

    def copy(self, paths: Sequence[str], *, cache: str, cancellation: Cancellation) -> None:
        """These store paths are in the store, from the binary cache in the folder at the absolute path `cache`.

        Raises: FileFault (Nix is not installed, or refused), Cancelled.
        """
        ...
