"""Fetch blobs that the local cache lacks from the registries and layouts that a configuration lists under `caches`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agent_sync.bundle.items import Item
from agent_sync.bundle.names import resolve_relative, source_tag
from agent_sync.bundle.pack import unpack
from agent_sync.bundle.registry import open_registry, run_jobs
from agent_sync.errors import AgentSyncError, Cancelled, DigestMismatch, LimitExceeded, LockInvalid, NotFound
from agent_sync.events import Warned
from agent_sync.limits import Limits
from agent_sync_oci.reference import RegistryReference, parse_reference
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


def fetch_from_caches(items: Iterable[Item], caches: Sequence[str], world: World, *, limits: Limits) -> None:
    """Fetch every item that one of the caches has, asking the caches in order.

    No cache is trusted: content is verified against the lock's digests alone. A cache that fails or serves something
    else is reported and passed over. With `--offline` no registry is asked.

    Raises:
        Cancelled: somebody asked to stop.
        FileSystemError: the local cache cannot be written.
    """
    missing = {item.blob: item for item in items if world.store.size(item.blob) is None}
    for cache in caches:
        if not missing:
            return
        try:
            _fetch_all(cache, tuple(missing.values()), world, limits)
        except Cancelled:
            raise
        except AgentSyncError as error:
            _warn_passed_over(cache, error, world)
        missing = {blob: item for blob, item in missing.items() if world.store.size(blob) is None}


def _fetch_all(cache: str, items: Sequence[Item], world: World, limits: Limits) -> None:
    place = resolve_relative(world.project.name, parse_reference(cache))
    if world.offline and isinstance(place, RegistryReference):
        return
    with open_registry(place, world, limits) as registry:
        jobs = [partial(_fetch, item, cache, registry, world, limits) for item in items]
        run_jobs(jobs, registry, world)


def _fetch(item: Item, cache: str, registry: Registry, world: World, limits: Limits) -> dict[str, None]:
    """Fetch one item. A cache that does not have it is not worth a warning; a cache that has something else is."""
    try:
        manifest = registry.manifest(source_tag(item.blob))
        check, max_bytes = world.cancellation.check, limits.max_source_size
        unpack(manifest, item, registry, world.store, max_bytes=max_bytes, check=check)
    except NotFound:
        pass
    except (DigestMismatch, LimitExceeded, LockInvalid) as error:
        _warn_passed_over(cache, error, world)
    return {}


def _warn_passed_over(cache: str, error: AgentSyncError, world: World) -> None:
    world.observer(Warned("cache-passed-over", f"cache {cache}", f"{error.subject}: {error.check}"))
