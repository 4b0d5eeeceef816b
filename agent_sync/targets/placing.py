"""Targets and the tool map -> placements (spec §3.2, §7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_sync.lock import Placement
from agent_sync.tree import ROOT

if TYPE_CHECKING:
    from agent_sync.config import Config
    from agent_sync.config.model import Target


def placements(config: Config) -> tuple[Placement, ...]:
    """Every placement in the order of the targets and of the tools in each; one that repeats an earlier one is left
    out.
    """
    return tuple(dict.fromkeys(each for target in config.targets for each in _placed(target, config)))


def _placed(target: Target, config: Config) -> Iterator[Placement]:
    from agent_sync.config.tools import tool_places

    if target.destination is not None:
        shared = target.shared or target.destination == ROOT  # the project's root is always shared with its owner
        yield Placement(target.source, target.destination, shared=shared)
        return
    places = tool_places(config)
    for tool in target.tools:
        place = places[tool]
        yield Placement(target.source, place.destination, tool=tool, shared=target.shared or place.shared)
