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


# -- A place, opened for one piece of work.

Outcome = TypeVar("Outcome")


@contextmanager
def open_registry(place: Reference, world: World, limits: Limits, *, plain_http: bool = False) -> Iterator[Registry]:
    """Open the registry, layout or archive for the block.

    Raises: BytesUnavailable (a registry, and no connection may be opened), and what the registry raises.
    """
    if world.offline and isinstance(place, RegistryReference):
        raise BytesUnavailable(
            subject=str(place),
            check="it is a registry, and --offline opens no connection",
            remedy="leave --offline out, or name a directory (oci:DIR) or a file (oci-archive:FILE)",
        )
    with (
        world.registries.open(
            place,
            timeout_s=limits.fetch_timeout_s,
            cancellation=world.cancellation,
            plain_http=plain_http,
        ) as registry,
    ):
        yield registry


def run_jobs(
    jobs: Sequence[Callable[[], Mapping[str, Outcome]]], registry: Registry, world: World
) -> dict[str, Outcome]:
    """What the jobs, which work with the registry, have found. Raises what one of them raises, and Cancelled.

    A silent server is not waited for; but no job still writes to a directory or file that is closed.
    """
    is_local = registry.name.startswith((LAYOUT, ARCHIVE))
    return run_concurrently(jobs, cancellation=world.cancellation, leave_none=is_local)


# -- How far work on many parts has come, told while several threads are at it.


class ProgressCounter:
    """Announces each part of `total` that is done. Any thread may count."""

    def __init__(self, work: str, total: int, world: World) -> None:
        self._work = work
        self._total = total
        self._observer = world.observer
        self._done = 0
        self._counting = threading.Lock()
        self._announce()

    def advance(self) -> None:
        """One more is done."""
        with self._counting:
            self._done += 1
            self._announce()

    def _announce(self) -> None:
        if self._total:
            self._observer(Progressed(self._work, self._done, self._total))
