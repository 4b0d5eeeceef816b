"""nix hash, import, and export: what a lock pins, for Nix."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.errors import UsageError
from agent_sync.events import Progressed
from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.nix.narinfo import signer
from agent_sync.nix.store_paths import Pinned, all_pinned
from agent_sync.operations.desired import refuse_untrusted
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.ports import Directory, World
from agent_sync.store.contents import Contents
from agent_sync.tree import RelPath
from agent_sync_oci.text import quoted

# -- nix hash: the hash that Nix gives a directory or file, without Nix.


@dataclass(frozen=True, slots=True)
class NixHashResult:
    """The absolute path, and its narHash as `nix hash path` prints it."""

    path: str
    nar_hash: str


def nix_hash(world: World, path: str) -> NixHashResult:
    """Hash what is at the absolute path: a directory with all that is in it, a file, or a symbolic link.

    Raises: FileSystemError (nothing there, a device), DigestMismatch (a file changed while it was read).
    """
    return NixHashResult(path, world.nix.hash(path, cancellation=world.cancellation))


# -- The store paths of Nix that a lock pins, and the binary cache that serves them.

_WORK = "writing the binary cache"


@dataclass(frozen=True, slots=True)
class NixPath:
    """A store path, and the part of the lock that it holds, such as `source rules`."""

    path: str
    what: str


def pinned_by(inputs: Inputs) -> tuple[Pinned, ...]:
    """Return what the committed lock pins, after fetching whatever the cache lacks of it.

    Raises: LockMissing, LockInvalid, Untrusted (a policy refuses the lock), and what supplying the lock raises.
    """
    locks = read_locks(inputs)
    lock = locks.shared
    refuse_untrusted(locks.contents[:1], inputs)
    wanted = all_pinned(lock, store_dir=inputs.world.nix.store_dir)
    supplier = inputs.supplier()
    supplier.sources(lock.sources)
    supplier.derived(lock)
    return wanted


def fill(cache: BinaryCache, wanted: Sequence[Pinned], inputs: Inputs) -> tuple[NixPath, ...]:
    """Write all of these into the binary cache, and return their paths.

    Raises: LockInvalid, BlobCorrupt, FileSystemError.
    """
    world = inputs.world
    cache.begin()
    with Contents(world.store) as contents:
        for done, pinned in enumerate(wanted):
            world.observer(Progressed(_WORK, done, len(wanted)))
            pinned.add_to(contents)
            cache.add(pinned, contents, cancellation=world.cancellation)
    world.observer(Progressed(_WORK, len(wanted), len(wanted)))
    cache.finish()
    return tuple(NixPath(each.path, each.what) for each in wanted)


# -- nix import


@dataclass(frozen=True, slots=True)
class NixImportResult:
    """The paths that are in the Nix store now."""

    paths: tuple[NixPath, ...]


def nix_import(inputs: Inputs) -> NixImportResult:
    """Copy every tree of the committed lock into the Nix store of this machine, where `from = "store"` finds them.

    The trees pass through a temporary binary cache: Nix then verifies each itself, and need not trust its user.

    Raises: what `pinned_by` and `fill` raise, FileSystemError (Nix is not installed, or refuses).
    """
    world = inputs.world
    wanted = pinned_by(inputs)
    with world.scratch() as scratch:
        paths = fill(BinaryCache(scratch, store_dir=world.nix.store_dir), wanted, inputs)
        world.nix.copy([each.path for each in paths], cache=scratch.name, cancellation=world.cancellation)
    return NixImportResult(paths)


# -- nix export


@dataclass(frozen=True, slots=True)
class NixExportResult:
    """The directory, every path that it serves, and whether they are signed."""

    directory: str
    paths: tuple[NixPath, ...]
    signed: bool


def nix_export(inputs: Inputs, directory: str, *, secret_key: bytes | None = None) -> NixExportResult:
    """Write every tree of the committed lock into a Nix binary cache in the directory at that absolute path.

    `secret_key` is the text of a key of `nix key generate-secret`. Without one the paths are not signed, and Nix
    accepts them all the same: each is named after its content.

    Raises: UsageError (no such key; the directory is the cache itself), what `pinned_by` and `fill` raise,
        FileSystemError.
    """
    sign = None if secret_key is None else signer(secret_key)
    wanted = pinned_by(inputs)
    cache = BinaryCache(_ensure_directory(directory, inputs.world), store_dir=inputs.world.nix.store_dir, sign=sign)
    return NixExportResult(directory, fill(cache, wanted, inputs), signed=sign is not None)


def _ensure_directory(directory: str, world: World) -> Directory:
    """Open the directory, which is made unless it exists; its parent must exist, and may be a symbolic link."""
    if directory == world.store.name:
        raise UsageError(
            subject=f"directory {quoted(directory)}",
            check="is the cache of agent-sync itself, from which `cache gc` deletes what no lock needs",
            remedy="name another directory",
        )
    above, name = posixpath.split(directory)
    if name:
        around = world.at(above)
        if around.stat(RelPath(name)) is None:
            around.make_directory(RelPath(name))
    return world.at(directory)
