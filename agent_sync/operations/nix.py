"""nix hash, import, and export: what a lock pins, for Nix."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.errors import UsageError
from agent_sync.events import Progressed
from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.nix.narinfo import signer
from agent_sync.nix.pinned import Pinned, all_pinned
from agent_sync.operations.admission import refuse_untrusted
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.ports import Directory, World
from agent_sync.store.contents import Contents
from agent_sync.tree import RelPath
from agent_sync_oci.text import quoted

# -- nix hash: what Nix calls a directory or file, without Nix.


@dataclass(frozen=True, slots=True)
class NixHashResult:
    """The absolute path, and its narHash as `nix hash path` prints it."""

    path: str
    nar_hash: str


def nix_hash(world: World, path: str) -> NixHashResult:
    """The hash of whatever lies at the absolute path: a directory with all that is in it, a file, a symbolic link.

    Raises: FileSystemError (nothing there, a device), DigestMismatch (it changed meanwhile).
    """
    return NixHashResult(path, world.nix.hash(path, cancellation=world.cancellation))


# -- What a lock pins as store paths of Nix, and the binary cache that has them: for `nix export` and `nix import`.

_WORK = "writing the binary cache"


@dataclass(frozen=True, slots=True)
class NixPath:
    """A store path, and what of the lock lies there, such as `source rules`."""

    path: str
    what: str


def pinned_by(inputs: Inputs) -> tuple[Pinned, ...]:
    """What the committed lock pins, every byte of it in the store of agent-sync.

    Raises: LockMissing, LockInvalid, Untrusted (a policy refuses the lock), and what supplying the lock raises.
    """
    locks = read_locks(inputs)
    lock = locks.shared
    refuse_untrusted(locks.contents[:1], inputs)
    wanted = all_pinned(lock, store_dir=inputs.world.nix.store_dir)
    supplier = inputs.supplier()
    supplier.sources(lock.sources)
    supplier.made(lock)
    return wanted


def fill(cache: BinaryCache, wanted: Sequence[Pinned], inputs: Inputs) -> tuple[NixPath, ...]:
    """The cache has all of these. Raises: LockInvalid, BlobCorrupt, FileSystemError."""
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


# -- nix import: what a lock pins, into the Nix store of this machine.


@dataclass(frozen=True, slots=True)
class NixImportResult:
    """Every path that is in the store of Nix now."""

    paths: tuple[NixPath, ...]


def nix_import(inputs: Inputs) -> NixImportResult:
    """The Nix store of this machine has every tree of the committed lock, so that `from = "store"` finds them.

    By way of a binary cache that is removed again: Nix then verifies each tree itself, and it need not trust its user.

    Raises: what `pinned_by` and `fill` raise, FileSystemError (Nix is not installed, or refuses).
    """
    world = inputs.world
    wanted = pinned_by(inputs)
    with world.scratch() as scratch:
        paths = fill(BinaryCache(scratch, store_dir=world.nix.store_dir), wanted, inputs)
        world.nix.copy([each.path for each in paths], cache=scratch.name, cancellation=world.cancellation)
    return NixImportResult(paths)


# -- nix export: what a lock pins, as a Nix binary cache in a directory.


@dataclass(frozen=True, slots=True)
class NixExportResult:
    """The directory, every path that it serves, and whether they are signed."""

    directory: str
    paths: tuple[NixPath, ...]
    signed: bool


def nix_export(inputs: Inputs, directory: str, *, secret_key: bytes | None = None) -> NixExportResult:
    """The directory at that absolute path serves every tree of the committed lock to Nix.

    `secret_key` is the text of a key of `nix key generate-secret`. Without one the paths are not signed, and Nix takes
    them all the same, because they follow from what they hold.

    Raises: UsageError (no such key; the directory is the store itself), what `pinned_by` and `fill` raise,
      FileSystemError.
    """
    sign = None if secret_key is None else signer(secret_key)
    wanted = pinned_by(inputs)
    cache = BinaryCache(_ensure_directory(directory, inputs.world), store_dir=inputs.world.nix.store_dir, sign=sign)
    return NixExportResult(directory, fill(cache, wanted, inputs), signed=sign is not None)


def _ensure_directory(directory: str, world: World) -> Directory:
    """The directory, made if it is not there; what is around it must be, and may be a link."""
    if directory == world.store.name:
        raise UsageError(
            subject=f"the directory {quoted(directory)}",
            check="it is the store of agent-sync itself, from which `cache gc` removes what no lock needs",
            remedy="name another directory",
        )
    above, name = posixpath.split(directory)
    if name:
        around = world.at(above)
        if around.stat(RelPath(name)) is None:
            around.make_directory(RelPath(name))
    return world.at(directory)
