"""A place, opened for one piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent_sync.limits import Limits
from agent_sync.ports.translating import translated
from agent_sync_oci.reference import Place
from agent_sync_oci.registry.protocol import Registry

if TYPE_CHECKING:
    from agent_sync.ports import World


@contextmanager
def opened_place(place: Place, world: World, limits: Limits, *, plain_http: bool = False) -> Iterator[Registry]:
    """The place, for as long as it is needed; what goes wrong in there comes out in our own families of errors.

    Raises: what the place raises, `translated`.
    """
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
