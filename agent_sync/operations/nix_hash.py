"""nix hash: what Nix calls a folder or file, without Nix."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.ports import World


@dataclass(frozen=True, slots=True)
class NixHashResult:
    """The absolute path, and its narHash as `nix hash path` prints it."""

    path: str
    nar_hash: str


def nix_hash(world: World, path: str) -> NixHashResult:
    """The hash of whatever lies at the absolute path: a folder with all that is in it, a file, a symbolic link.

    Raises: FileFault (nothing there, a device), ContentMismatch (it changed meanwhile).
    """
    return NixHashResult(path, world.nix.hash(path, cancellation=world.cancellation))
