"""The configuration that is in force, and what it says of one source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_sync.config.safeguards import Safeguards, Signed, Signers, both_signed
from agent_sync.config.tools import SPEC_TOOL_MAP
from agent_sync.errors import UsageWrong
from agent_sync.escaping import shown
from agent_sync.limits import Limits

if TYPE_CHECKING:
    from agent_sync.config.model import Override, Source, Target, ToolDefinition, Transform
    from agent_sync.config.origins import Origins
    from agent_sync.config.security import Bundle, Trust


@dataclass(frozen=True, slots=True)
class Config:
    """What one or several files declare together, every default filled in.

    Sources keep the position of the lowest file that has the name; targets, overrides and transforms stand in the order
    system, user, project. `variables` is plain data: text, numbers, booleans, None, lists and mappings.
    """

    version: int = 1
    tool_map: str = SPEC_TOOL_MAP
    limits: Limits = field(default_factory=Limits)
    security: Safeguards = field(default_factory=Safeguards)
    variables: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    tool_definitions: tuple[ToolDefinition, ...] = ()
    targets: tuple[Target, ...] = ()
    overrides: tuple[Override, ...] = ()
    transforms: tuple[Transform, ...] = ()
    caches: tuple[str, ...] = ()
    bundle: Bundle | None = None
    trust: tuple[Trust, ...] = ()
    signers: Mapping[str, Signers] = field(default_factory=dict)
    origins: Origins | None = field(default=None, compare=False, repr=False)

    def source(self, name: str) -> Source:
        """The source of that name. UsageWrong if there is none."""
        for each in self.sources:
            if each.name == name:
                return each
        raise UsageWrong(
            subject=f"source {shown(name)}", check="no source is called that", remedy=self.remedy_for(name)
        )

    def remedy_for(self, name: str) -> str:
        """What to do about a source's name that is none: the one that was meant, or all there are."""
        from agent_sync.documents import closest

        names = [each.name for each in self.sources]
        if (near := closest(name, names)) is not None:
            return f"did you mean {shown(near)}?"
        return f"declared are: {', '.join(names)}" if names else "none is declared; add one under `sources:`"


def limits_of(source: str, config: Config) -> Limits:
    """The bounds for the source of that name: its own, where they are lower than the general ones."""
    own = config.source(source).limits
    return config.limits if own is None else config.limits.lowered_by(own.over(config.limits))


def signed_of(source: str, config: Config) -> tuple[Signed, ...]:
    """What must be signed in the git source of that name: by its own word or by anyone's `security`."""
    own = getattr(config.source(source), "signed", None)
    return both_signed(config.security.signed, own)


def signers_of(source: str, config: Config) -> Signers | None:
    """Whose signatures count for the source of that name; None if nobody was named."""
    own = getattr(config.source(source), "signers", None)
    return config.signers.get(source, own)
