"""A place, opened for one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from agent_sync.errors import BytesUnavailable
from agent_sync.limits import Limits
from agent_sync.ports.translating import translated
from agent_sync.resolve.side_by_side import side_by_side
from agent_sync_oci.reference import ARCHIVE, LAYOUT, Place, RegistryPlace
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World

Outcome = TypeVar("Outcome")


@contextmanager
def opened_place(place: Place, world: World, limits: Limits, *, plain_http: bool = False) -> Iterator[Registry]:
    """The place, for as long as it is needed; what goes wrong in there comes out in our own families of errors.

    Raises: BytesUnavailable (a registry, and no connection may be opened), and what the place raises, `translated`.
    """
    if world.offline and isinstance(place, RegistryPlace):
        raise BytesUnavailable(
            subject=str(place),
            check="it is a registry, and --offline opens no connection",
            remedy="leave --offline out, or name a folder (oci:DIR) or a file (oci-archive:FILE)",
        )
    with (
        translated(),
        world.registries.open(
            place,
            timeout_s=limits.fetch_timeout_s,
            cancellation=world.cancellation,
            plain_http=plain_http,
        ) as registry,
    ):
        yield registry


def at_once(
    jobs: Sequence[Callable[[], Mapping[str, Outcome]]], registry: Registry, world: World
) -> dict[str, Outcome]:
    """What the jobs, which work with the registry, have found. Raises what one of them raises, and Cancelled.

    A silent server is not waited for; but no job still writes to a folder or file that is closed.
    """
    is_local = registry.name.startswith((LAYOUT, ARCHIVE))
    return side_by_side(jobs, cancellation=world.cancellation, leave_none=is_local)
