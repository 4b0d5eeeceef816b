"""The tool maps: where each tool reads its files (spec §3.2), as data, and what a configuration makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_sync.tree.names import ROOT, RelPath

if TYPE_CHECKING:
    from agent_sync.config.effective import Config

SPEC_TOOL_MAP = "spec-v1"


@dataclass(frozen=True, slots=True)
class ToolPlace:
    """The folder that a tool reads; in a `shared` one its user keeps other files, so an unexpected one is not drift."""

    destination: RelPath
    shared: bool = False


def _place(destination: str, *, shared: bool = False) -> ToolPlace:
    return ToolPlace(RelPath(destination), shared)


# A map never changes once it is released: a lock names the one that it was made with. New facts make a new, dated map.
TOOL_MAPS: Mapping[str, Mapping[str, ToolPlace]] = {
    # The table of spec §3.2, byte for byte.
    SPEC_TOOL_MAP: {
        "cursor": _place(".cursor/rules"),
        "claude-code": _place(".claude", shared=True),
        "copilot": _place(".github/copilot"),
        "windsurf": _place(".windsurf/rules"),
        "cline": _place(".cline/rules"),
        "codex": _place(".codex", shared=True),
    },
    # What the tools' own documentation said in November 2026, where that is one folder of the project.
    "2026-11": {
        "cursor": _place(".cursor/rules"),  # cursor.com/docs/context/rules: *.mdc
        "claude-code": _place(".claude", shared=True),  # code.claude.com/docs/en/claude-directory
        "copilot": _place(".github/instructions"),  # docs.github.com, "custom instructions": *.instructions.md
        "windsurf": _place(".windsurf/rules"),  # docs.windsurf.com/windsurf/cascade/memories
        "cline": _place(".clinerules", shared=True),  # docs.cline.bot/features/cline-rules; workflows/ lies below it
        "codex": _place(".agents", shared=True),  # developers.openai.com/codex/skills; others read it too
    },
}


def tool_places(config: Config) -> Mapping[str, ToolPlace]:
    """Every tool that a target may name: the built-in ones of `config.tool_map` and, over them, `tool_definitions`.

    A definition moves a built-in tool and leaves it as shared as it was; a tool of one's own is not shared.
    """
    built_in = TOOL_MAPS[config.tool_map]
    places = dict(built_in)
    for each in config.tool_definitions:
        shared = each.destination == ROOT or (each.name in built_in and built_in[each.name].shared)
        places[each.name] = ToolPlace(each.destination, shared)
    return places
