"""Open a registry, an image layout or an archive for one piece of work, and run jobs with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from agent_sync.errors import BytesUnavailable
from agent_sync.events import Progressed
from agent_sync.limits import Limits
from agent_sync.sources.concurrent import run_concurrently
from agent_sync_oci.reference import ARCHIVE, LAYOUT, Reference, RegistryReference
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
