"""Where each part of a merged configuration was written, so that every error about it has the right file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent_sync.config.problems import problem
from agent_sync.config.reading import Layer
from agent_sync.errors import AgentSyncError, ConfigInvalid

Section = Literal["sources", "tool_definitions", "targets", "overrides", "transforms"]


@dataclass(frozen=True, slots=True)
class Origins:
    """For the part at a position of a section: the file that it comes from, and its position there."""

    parts: Mapping[tuple[Section, int], tuple[Layer, int]]

    def problem(
        self,
        section: Section,
        index: int,
        *inside: str | int,
        check: str,
        remedy: str | None,
        error: type[AgentSyncError] = ConfigInvalid,
        key: bool = False,
    ) -> AgentSyncError:
        """The error about the part, or about the value `inside` it."""
        layer, there = self.parts[section, index]
        return problem(layer.document, (section, there, *inside), check=check, remedy=remedy, error=error, key=key)
