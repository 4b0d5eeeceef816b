"""Spec §9.7: prune (R095 - R097, X14 - X16)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, CommandMachine, a_local_machine


def synced(tmp_path: Path) -> CommandMachine:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    return machine


def test_r095_r096_prune_removes_files_and_entries_and_keeps_the_users(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cursor/rules/mine.md", "mine\n")
    machine.configure("version: 1\n")
    machine.run("prune")
    assert machine.outputs() == {".cursor/rules/mine.md": "mine\n"}
    assert machine.lock["sources"] == []


def test_r095_prune_after_the_update_that_dropped_the_target(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.configure(LOCAL.replace("cursor", "cline"))
    machine.lock_and_sync()
    assert ".cursor/rules/a.md" in machine.lock["orphans"]
    machine.run("prune")
    assert machine.outputs() == {".cline/rules/a.md": "a\n"}
    assert "orphans" not in machine.lock
    machine.run("check", "--strict")


def test_r097_a_dry_prune_shows_and_changes_nothing(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.configure("version: 1\n")
    before = machine.tree()
    assert ".cursor/rules/a.md" in machine.run("prune", "--dry-run").said
    assert machine.tree() == before


def test_x14_a_users_file_of_the_same_name_in_another_tools_directory_stays(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cline/rules/a.md", "a\n")
    machine.configure("version: 1\n")
    machine.run("prune")
    assert machine.outputs() == {".cline/rules/a.md": "a\n"}


def test_x15_prune_after_a_target_moved_to_a_destination(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.configure(LOCAL.replace("tools: [cursor]", "destination: .custom/"))
    machine.run("prune")
    assert machine.outputs() == {}
    assert machine.lock.get("outputs", []) == []
    machine.lock_and_sync()
    assert machine.outputs() == {".custom/a.md": "a\n"}
    machine.run("check", "--strict")


def test_x16_an_edited_file_is_kept_and_reported(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cursor/rules/a.md", "edited\n")
    machine.configure("version: 1\n")
    assert ".cursor/rules/a.md" in machine.run("prune").said
    assert machine.outputs() == {".cursor/rules/a.md": "edited\n"}


@pytest.mark.parametrize("words", [["sync"], ["sync", "--prune"], ["sync", "--dry-run"], ["prune"], ["check"]])
def test_x16_each_command_says_what_to_do_with_an_edited_orphan(tmp_path: Path, words: list[str]) -> None:
    machine = an_edited_orphan(tmp_path)
    ran = machine.run(*words, expect=1 if words == ["check"] else 0)
    assert re.search("edited.*delete or move them, then (run )?agent-sync prune", ran.out)
    assert "prune removes" not in ran.out
    assert ".cursor/rules/a.md" in ran.out
    assert machine.outputs()[".cursor/rules/a.md"] == "edited\n"


def test_x16_an_edited_orphan_is_told_apart_in_the_documents(tmp_path: Path) -> None:
    machine = an_edited_orphan(tmp_path)
    machine.put("rules/b.md", "b\n")
    checked = json.loads(machine.run("check", "--json", expect=1).out)
    assert checked["orphaned"] == [{"path": ".cursor/rules/a.md", "source": "rules", "edited": True}]
    machine.run("update", "--yes")
    synced = json.loads(machine.run("sync", "--json").out)
    assert (synced["orphans"], synced["kept_back"]) == ([], [".cursor/rules/a.md"])


def test_x16_what_was_advised_helps(tmp_path: Path) -> None:
    machine = an_edited_orphan(tmp_path)
    (machine.project / ".cursor/rules/a.md").unlink()
    machine.run("prune")
    machine.run("check", "--strict")
    assert "orphans" not in machine.lock


def an_edited_orphan(tmp_path: Path) -> CommandMachine:
    """The target moved to another tool, after the file in the old one's directory had been edited."""
    machine = synced(tmp_path)
    machine.put(".cursor/rules/a.md", "edited\n")
    machine.configure(LOCAL.replace("cursor", "cline"))
    machine.lock_and_sync()
    return machine
