"""The tool maps: the spec's table byte for byte, and what definitions make of it."""

from __future__ import annotations

from typing import get_args

from agent_sync.config import tool_directories
from agent_sync.config.effective import TOOL_MAPS, ToolDirectory
from agent_sync.config.model import ConfigFile
from agent_sync.tree import ROOT, RelPath, safe_path
from tests.builders.configs import a_config


def test_r003_the_built_in_map_is_the_specs_table() -> None:
    places = tool_directories(a_config("version: 1"))
    assert {name: f"{place.destination}/" for name, place in places.items()} == {
        "cursor": ".cursor/rules/",
        "claude-code": ".claude/",
        "copilot": ".github/copilot/",
        "windsurf": ".windsurf/rules/",
        "cline": ".cline/rules/",
        "codex": ".codex/",
    }


def test_directories_that_a_tool_shares_with_its_user_are_marked() -> None:
    places = tool_directories(a_config("version: 1"))
    assert {name for name, place in places.items() if place.shared} == {"claude-code", "codex"}


def test_r004_a_definition_moves_a_built_in_tool_and_adds_others() -> None:
    config = a_config(
        """
        tool_definitions:
          - {name: cursor, destination: .cursor/custom-rules/}
          - {name: claude-code, destination: .claude/team/}
          - {name: internal-agent, destination: .internal/agent-config/}
          - {name: everywhere, destination: .}
        """
    )
    places = tool_directories(config)
    assert places["cursor"] == ToolDirectory(RelPath(".cursor/custom-rules"), shared=False)
    assert places["claude-code"] == ToolDirectory(RelPath(".claude/team"), shared=True)
    assert places["internal-agent"] == ToolDirectory(RelPath(".internal/agent-config"), shared=False)
    assert places["everywhere"] == ToolDirectory(ROOT, shared=True)
    assert places["windsurf"].destination == ".windsurf/rules"


def test_another_map_is_chosen_by_name() -> None:
    places = tool_directories(a_config("tool_map: 2026-11"))
    assert places["cline"].destination == ".clinerules"
    assert places["copilot"].destination == ".github/instructions"


def test_every_map_knows_the_same_tools_and_only_safe_directories() -> None:
    for tools in TOOL_MAPS.values():
        assert list(tools) == list(TOOL_MAPS["spec-v1"])
        assert [safe_path(place.destination, subject="x") for place in tools.values()]


def test_the_configuration_accepts_exactly_the_maps_there_are() -> None:
    literal, _none = get_args(ConfigFile.model_fields["tool_map"].annotation)
    assert set(get_args(literal)) == set(TOOL_MAPS)
