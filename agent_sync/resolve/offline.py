"""What `--offline` rules out."""

from __future__ import annotations

from agent_sync.errors import BytesUnavailable
from agent_sync.ports import World


def refuse_offline(source: str, world: World) -> None:
    """Nothing, if the network may be used; BytesUnavailable otherwise."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="it lies upstream, the store does not have it, and --offline was given",
            remedy="run it once without --offline, or bring the store along",
        )
