"""Spec §9.7: prune (R095 - R097, X14 - X16)."""

from __future__ import annotations

from pathlib import Path

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


def test_x14_a_users_file_of_the_same_name_in_another_tools_folder_stays(tmp_path: Path) -> None:
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
