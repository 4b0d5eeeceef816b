"""Open a registry, layout or archive for one piece of work, and fetch blobs from those listed under `caches`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agent_sync.bundle.items import Item
from agent_sync.bundle.names import resolve_relative, source_tag
from agent_sync.bundle.pack import unpack
from agent_sync.errors import (
    AgentSyncError,
    BytesUnavailable,
    Cancelled,
    DigestMismatch,
    LimitExceeded,
    LockInvalid,
    NotFound,
)
from agent_sync.events import Progressed, Warned
from agent_sync.limits import Limits
from agent_sync.sources.concurrent import run_concurrently
from agent_sync_oci.reference import ARCHIVE, LAYOUT, Reference, RegistryReference, parse_reference
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


Outcome = TypeVar("Outcome")


@contextmanager
def open_registry(
    reference: Reference, world: World, limits: Limits, *, plain_http: bool = False
) -> Iterator[Registry]:
    """Open the registry, layout or archive for the block.

    Raises:
        BytesUnavailable: a registry, and `--offline` forbids connections.
        AgentSyncError: whatever opening or using it raises.
    """
    if world.offline and isinstance(reference, RegistryReference):
        raise BytesUnavailable(
            subject=str(reference),
            check="--offline forbids connecting to a registry",
            remedy="drop --offline, or name a layout (oci:DIR) or an archive (oci-archive:FILE)",
        )
    with (
        world.registries.open(
            reference,
            timeout_s=limits.fetch_timeout_s,
            cancellation=world.cancellation,
            plain_http=plain_http,
        ) as registry,
    ):
        yield registry


def run_jobs(
    jobs: Sequence[Callable[[], Mapping[str, Outcome]]], registry: Registry, world: World
) -> dict[str, Outcome]:
    """Run jobs that use the registry, and return their merged results. Raises what one of them raises, and Cancelled.

    A silent server is not waited for. Jobs on a layout or archive are: none may write to a file that is closed.
    """
    is_local = registry.name.startswith((LAYOUT, ARCHIVE))
    return run_concurrently(jobs, cancellation=world.cancellation, leave_none=is_local)


# -- progress --------------------------------------------------------------------------------------------------------


class ProgressCounter:
    """A counter that announces each part of `total` that is done. Any thread may count."""

    def __init__(self, work: str, total: int, world: World) -> None:
        self._work = work
        self._total = total
        self._observer = world.observer
        self._done = 0
        self._counting = threading.Lock()
        self._announce()

    def advance(self) -> None:
        """Count one more part."""
        with self._counting:
            self._done += 1
            self._announce()

    def _announce(self) -> None:
        if self._total:
            self._observer(Progressed(self._work, self._done, self._total))


# -- caches ----------------------------------------------------------------------------------------------------------


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
        # Asked again, since a job that failed may have followed others that succeeded.
        missing = {blob: item for blob, item in missing.items() if world.store.size(blob) is None}


def _fetch_all(cache: str, items: Sequence[Item], world: World, limits: Limits) -> None:
    reference = resolve_relative(world.project.name, parse_reference(cache))
    if world.offline and isinstance(reference, RegistryReference):
        return
    with open_registry(reference, world, limits) as registry:
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
