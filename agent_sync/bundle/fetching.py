"""Blobs that the store lacks, from the places that a configuration names as caches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.items import Item
from agent_sync.bundle.media_types import source_tag
from agent_sync.bundle.naming import below
from agent_sync.bundle.opening import at_once, opened_place
from agent_sync.bundle.unpacking import unpack
from agent_sync.errors import AgentSyncError, Cancelled, ContentMismatch, LimitExceeded, LockInvalid, NotThere
from agent_sync.events import Warned
from agent_sync.limits import Limits
from agent_sync.ports.translating import translated
from agent_sync_oci.reference import RegistryPlace, parse_place
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


def fetch_from_caches(items: Iterable[Item], caches: Sequence[str], world: World, *, limits: Limits) -> None:
    """Whatever of the items some cache has is in the store; the caches are asked in their order.

    A cache vouches for nothing: what comes is judged by the lock's digests alone. One that cannot be used, or that
    serves something else, is reported and passed over. Offline no registry is asked.

    Raises: Cancelled, and FileFault if the store cannot be written.
    """
    missing = {item.blob: item for item in items if world.store.size(item.blob) is None}
    for cache in caches:
        if not missing:
            return
        try:
            _fetch_from(cache, tuple(missing.values()), world, limits)
        except Cancelled:
            raise
        except AgentSyncError as error:
            _report(cache, error, world)
        missing = {blob: item for blob, item in missing.items() if world.store.size(blob) is None}


def _fetch_from(cache: str, items: Sequence[Item], world: World, limits: Limits) -> None:
    with translated():
        place = below(world.project.name, parse_place(cache))
    if world.offline and isinstance(place, RegistryPlace):
        return
    with opened_place(place, world, limits) as registry:
        jobs = [partial(_fetch, item, cache, registry, world, limits) for item in items]
        at_once(jobs, registry, world)


def _fetch(item: Item, cache: str, registry: Registry, world: World, limits: Limits) -> dict[str, None]:
    """One item. That a cache does not have it is no news; that it has something else is."""
    try:
        with translated():
            manifest = registry.manifest(source_tag(item.blob))
            check, max_bytes = world.cancellation.check, limits.max_source_size
            unpack(manifest, item, registry, world.store, max_bytes=max_bytes, check=check)
    except NotThere:
        pass
    except (ContentMismatch, LimitExceeded, LockInvalid) as error:
        _report(cache, error, world)
    return {}


def _report(cache: str, error: AgentSyncError, world: World) -> None:
    world.observer(Warned("cache-passed-over", f"cache {cache}", f"{error.subject}: {error.check}"))
