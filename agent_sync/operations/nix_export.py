"""nix export: what a lock pins, as a Nix binary cache in a folder."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from agent_sync.errors import UsageWrong
from agent_sync.escaping import shown
from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.nix.signing import signer
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.nix_paths import NixPath, fill, pinned_by
from agent_sync.ports import Folder, World
from agent_sync.tree import RelPath


@dataclass(frozen=True, slots=True)
class NixExportResult:
    """The folder, every path that it serves, and whether they are signed."""

    folder: str
    paths: tuple[NixPath, ...]
    signed: bool


def nix_export(inputs: Inputs, folder: str, *, secret_key: bytes | None = None) -> NixExportResult:
    """The folder at that absolute path serves every tree of the committed lock to Nix.

    `secret_key` is the text of a key of `nix key generate-secret`. Without one the paths are not signed, and Nix takes
    them all the same, because they follow from what they hold.

    Raises: UsageWrong (no such key; the folder is the store itself), what `pinned_by` and `fill` raise, FileFault.
    """
    sign = None if secret_key is None else signer(secret_key)
    wanted = pinned_by(inputs)
    cache = BinaryCache(_made(folder, inputs.world), store_dir=inputs.world.nix.store_dir, sign=sign)
    return NixExportResult(folder, fill(cache, wanted, inputs), signed=sign is not None)


def _made(folder: str, world: World) -> Folder:
    """The folder, made if it is not there; what is around it must be, and may be a link."""
    if folder == world.store.name:
        raise UsageWrong(
            subject=f"the folder {shown(folder)}",
            check="it is the store of agent-sync itself, from which `cache gc` removes what no lock needs",
            remedy="name another folder",
        )
    above, name = posixpath.split(folder)
    if name:
        around = world.at(above)
        if around.stat(RelPath(name)) is None:
            around.make_folder(RelPath(name))
    return world.at(folder)
