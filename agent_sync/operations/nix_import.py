"""nix import: what a lock pins, into the Nix store of this machine."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.nix_paths import NixPath, fill, pinned_by


@dataclass(frozen=True, slots=True)
class NixImportResult:
    """Every path that is in the store of Nix now."""

    paths: tuple[NixPath, ...]


def nix_import(inputs: Inputs) -> NixImportResult:
    """The Nix store of this machine has every tree of the committed lock, so that `from = "store"` finds them.

    By way of a binary cache that is removed again: Nix then verifies each tree itself, and it need not trust its user.

    Raises: what `pinned_by` and `fill` raise, FileFault (Nix is not installed, or refuses).
    """
    world = inputs.world
    wanted = pinned_by(inputs)
    with world.store.scratch() as scratch:
        paths = fill(BinaryCache(scratch, store_dir=world.nix.store_dir), wanted, inputs)
        world.nix.copy([each.path for each in paths], cache=scratch.name, cancellation=world.cancellation)
    return NixImportResult(paths)
