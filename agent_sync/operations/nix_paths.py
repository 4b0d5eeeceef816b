"""What a lock pins as store paths of Nix, and the binary cache that has them: for `nix export` and `nix import`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.events import Progressed
from agent_sync.nix.binary_cache import BinaryCache
from agent_sync.nix.pinned import Pinned, all_pinned
from agent_sync.operations.inputs import Inputs, read_locks
from agent_sync.operations.signed_lock import refuse_untrusted
from agent_sync.store.contents import Contents

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
    """The cache has all of these. Raises: LockInvalid, BlobCorrupt, FileFault."""
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
