"""Spec §2.4, §3.2, §7: targets and the tool map (R002 - R007, R047 - R050)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, a_local_machine, a_machine

BUILT_IN = {
    "cursor": ".cursor/rules/a.md",
    "claude-code": ".claude/a.md",
    "copilot": ".github/copilot/a.md",
    "windsurf": ".windsurf/rules/a.md",
    "cline": ".cline/rules/a.md",
    "codex": ".codex/a.md",
}

TWO_SOURCES = """\
version: 1
sources:
  - {name: one, type: local, path: ./one/}
  - {name: two, type: local, path: ./two/}
"""


@pytest.mark.parametrize("destination", ["../x", "/tmp/agent-sync-outside", "a/../../x"])
def test_r002_a_destination_outside_the_project_is_refused(tmp_path: Path, destination: str) -> None:
    machine = a_machine(
        tmp_path,
        {"agent-sync.yaml": LOCAL.replace("tools: [cursor]", f"destination: {destination}"), "rules/a.md": "a"},
    )
    before = machine.tree()
    for verb in (["update", "--yes"], ["sync"], ["check"]):
        machine.run(*verb, expect=7)
    assert machine.tree() == before
    assert not (tmp_path / "x").exists()
    assert not Path("/tmp/agent-sync-outside").exists()


def test_r002_a_destination_behind_a_link_is_refused(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    machine.run("update", "--yes")
    (machine.project / ".cursor").symlink_to(outside)
    ran = machine.run("sync", expect=7)
    assert "link" in ran.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("tool", BUILT_IN)
def test_r003_a_built_in_tool_has_the_directory_of_the_table(tmp_path: Path, tool: str) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": LOCAL.replace("cursor", tool), "rules/a.md": "a\n"})
    machine.lock_and_sync()
    assert machine.outputs() == {BUILT_IN[tool]: "a\n"}


def test_r004_a_definition_moves_a_built_in_tool(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "tool_definitions:\n  - {name: cursor, destination: .elsewhere/}\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".elsewhere/a.md": "a\n"}


def test_r005_an_unknown_tool_is_named_with_the_way_to_define_it(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": LOCAL.replace("cursor", "cursr"), "rules/a.md": "a"})
    ran = machine.run("update", "--yes", expect=3)
    assert '"cursr"' in ran.err
    assert "tool_definitions" in ran.err
    assert 'did you mean "cursor"?' in ran.err
    assert "agent-sync.yaml:8:13" in ran.err
    assert not machine.exists("agent-sync.lock")


def test_r006_a_destination_is_used_as_it_is(tmp_path: Path) -> None:
    machine = a_machine(
        tmp_path, {"agent-sync.yaml": LOCAL.replace("tools: [cursor]", "destination: cursor/"), "rules/a.md": "a\n"}
    )
    machine.lock_and_sync()
    assert machine.read("cursor/a.md") == "a\n"
    assert machine.outputs() == {}


def test_r007_tools_and_destination_exclude_each_other(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "    destination: .x/\n")
    machine.put("agent-sync.yaml", LOCAL + "    destination: .x/\n")
    ran = machine.run("update", "--yes", expect=3)
    assert "mutually exclusive" in ran.err


def test_r047_two_sources_on_one_file_are_an_error_naming_both(tmp_path: Path) -> None:
    targets = "targets:\n  - {source: one, tools: [cursor]}\n  - {source: two, tools: [cursor]}\n"
    machine = a_machine(tmp_path, {"agent-sync.yaml": TWO_SOURCES + targets, "one/x.md": "1", "two/x.md": "2"})
    before = machine.tree()
    ran = machine.run("update", "--yes", expect=10)
    assert '"one"' in ran.err
    assert '"two"' in ran.err
    assert ".cursor/rules/x.md" in ran.err
    assert machine.tree() == before


def test_r047_a_conflict_that_a_later_edit_makes_stops_sync_and_check_too(tmp_path: Path) -> None:
    targets = "targets:\n  - {source: one, tools: [cursor]}\n  - {source: two, tools: [cline]}\n"
    machine = a_machine(tmp_path, {"agent-sync.yaml": TWO_SOURCES + targets, "one/x.md": "1", "two/x.md": "2"})
    machine.lock_and_sync()
    machine.configure(machine.read("agent-sync.yaml").replace("cline", "cursor"))
    before = machine.tree()
    machine.run("sync", expect=10)
    machine.run("sync", "--dry-run", expect=10)
    machine.run("check", expect=10)
    assert machine.tree() == before


def test_r048_an_override_settles_it_and_different_tools_never_meet(tmp_path: Path) -> None:
    settled = "targets:\n  - {source: one, tools: [cursor]}\n  - {source: two, tools: [cursor, cline]}\n"
    overrides = "overrides:\n  - {target: .cursor/rules/x.md, strategy: append, file: ext.md}\n"
    files = {
        "agent-sync.yaml": TWO_SOURCES + settled + overrides,
        "one/x.md": "1\n",
        "two/x.md": "2\n",
        "ext.md": "3\n",
    }
    machine = a_machine(tmp_path, files)
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/x.md": "2\n3\n", ".cline/rules/x.md": "2\n"}
    machine.run("check")


@pytest.mark.parametrize("destination", [".git/", ".git/hooks/", ".agent-sync/", "agent-sync.lock", "../x", "a\\b"])
def test_r049_every_resolved_path_is_checked_also_in_dry_run_and_check(tmp_path: Path, destination: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    machine.configure(LOCAL.replace("tools: [cursor]", f"destination: '{destination}'"))
    before = machine.tree()
    for words in (["sync"], ["sync", "--dry-run"], ["check"], ["status"], ["update", "--yes"]):
        machine.run(*words, expect=7)
    assert machine.tree() == before


def test_r050_a_source_without_a_target_is_a_warning_in_sync_and_check(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.configure(LOCAL.replace("targets:", "  - {name: idle, type: local, path: ./rules/}\ntargets:"))
    machine.run("update", "--yes")
    for verb in ("sync", "check"):
        ran = machine.run(verb)
        assert "warning" in ran.err
        assert "idle" in ran.err
