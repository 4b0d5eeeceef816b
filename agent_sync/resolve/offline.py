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


def refuse_to_ask(source: str, world: World) -> None:
    """The same where it is not bytes that are wanted, but what upstream has now: no store can tell."""
    if world.offline:
        raise BytesUnavailable(
            subject=f"source {source}",
            check="upstream has to be asked, and --offline was given",
            remedy="run it without --offline",
        )
