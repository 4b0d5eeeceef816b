"""check, status, diff, prune and verify on fakes."""

from __future__ import annotations

import pytest

from agent_sync.errors import UsageError
from agent_sync.plan.drift import State
from tests.builders.projects import MemoryProject, a_local_project, a_project


def synced(config: str = "", **files: str) -> MemoryProject:
    project = a_local_project(config, rules={name.replace("_", "."): text for name, text in files.items()} or None)
    project.project().update()
    project.project().sync()
    return project


def test_check_tells_changed_missing_and_unexpected_files_apart() -> None:
    project = synced(a_md="a\n", b_md="b\n")
    assert project.project().check().clean
    project.put(".cursor/rules/a.md", "edited\n")
    project.directory.drop(".cursor/rules/b.md")
    project.put(".cursor/rules/c.md", "c\n")
    drift = project.project().check().drift
    assert (drift.changed, drift.missing, drift.unexpected) == (
        (".cursor/rules/a.md",),
        (".cursor/rules/b.md",),
        (".cursor/rules/c.md",),
    )


def test_a_users_file_in_a_shared_directory_is_drift_only_when_strict() -> None:
    project = a_local_project()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "claude-code"))
    project.put(".claude/notes.md", "mine\n")
    project.project().update()
    project.project().sync()
    assert project.project().check().clean
    assert project.project().check().drift.foreign == (".claude/notes.md",)
    assert not project.project().check(strict=True).clean


def test_check_changes_nothing() -> None:
    project = synced()
    before = project.files
    project.put(".cursor/rules/a.md", "edited\n")
    project.project().check()
    project.put(".cursor/rules/a.md", "a\n")
    assert project.files == before


def states(project: MemoryProject) -> dict[str, State]:
    return {row.name: row.state for row in project.project().status().rows}


def test_status_knows_pending_synced_missing_and_drifted() -> None:
    project = a_local_project()
    project.project().update()
    assert states(project) == {"rules": State.PENDING}
    project.project().sync()
    assert states(project) == {"rules": State.SYNCED}
    project.directory.drop(".cursor/rules/a.md")
    assert states(project) == {"rules": State.MISSING}
    project.put(".cursor/rules/a.md", "edited\n")
    assert states(project) == {"rules": State.DRIFTED}
    project.put(".cursor/rules/a.md", "a\n")
    project.put("rules/a.md", "new\n")
    project.project().update()
    assert states(project) == {"rules": State.PENDING}


def test_a_source_that_is_not_locked_yet_is_pending_in_status() -> None:
    project = synced()
    project.put(
        "agent-sync.yaml",
        project.read("agent-sync.yaml").replace("targets:", "  - {name: new, type: local, path: ./new/}\ntargets:"),
    )
    assert states(project) == {"rules": State.SYNCED, "new": State.PENDING}


def test_status_of_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="neither declared nor locked"):
        synced().project().status(["nope"])


def test_diff_shows_what_sync_would_write() -> None:
    project = synced(a_md="a\n", b_md="b\n")
    project.put(".cursor/rules/a.md", "mine\n")
    project.put(".cursor/rules/b.md", "mine too\n")
    [shown] = project.project().diff([".cursor/rules/a.md"]).diffs
    assert shown.text == "--- a/.cursor/rules/a.md\n+++ b/.cursor/rules/a.md\n@@ -1 +1 @@\n-mine\n+a\n"
    assert len(project.project().diff([".cursor"]).diffs) == 2
    with pytest.raises(UsageError):
        project.project().diff(["nowhere"])


MOVED = ("cursor", "cline")


def moved() -> MemoryProject:
    """Synced for cursor, then declared for cline, without an update."""
    project = synced()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace(*MOVED))
    return project


def test_prune_removes_what_the_configuration_gave_up_and_its_entry() -> None:
    project = moved()
    result = project.project().prune()
    assert [action.path for action in result.removed] == [".cursor/rules/a.md"]
    assert ".cursor/rules/a.md" not in project.files
    assert ".cursor" not in project.lock


def test_prune_after_update_removes_orphans_and_their_entries() -> None:
    project = moved()
    project.project().update()
    project.project().sync()
    project.project().prune()
    assert project.outputs == {".cline/rules/a.md": "a\n"}
    assert "orphans" not in project.lock
    assert project.project().check().clean


def test_prune_keeps_an_edited_file_and_its_entry() -> None:
    project = moved()
    project.put(".cursor/rules/a.md", "edited\n")
    result = project.project().prune()
    assert result.kept_back == (".cursor/rules/a.md",)
    assert project.outputs == {".cursor/rules/a.md": "edited\n"}
    assert "orphans:\n  .cursor/rules/a.md:" in project.lock


def test_a_dry_prune_changes_nothing() -> None:
    project = moved()
    before = project.files
    assert project.project().prune(dry_run=True).removed
    assert project.files == before


def test_prune_never_touches_a_users_file_beside_ours() -> None:
    project = moved()
    project.put(".cursor/rules/mine.md", "mine\n")
    project.project().prune()
    assert project.outputs == {".cursor/rules/mine.md": "mine\n"}


def test_prune_drops_a_source_that_is_declared_no_more() -> None:
    config = """
    version: 1
    sources:
      - {name: keep, type: local, path: ./keep/}
      - {name: drop, type: local, path: ./drop/}
    targets:
      - {source: keep, destination: .keep/}
      - {source: drop, destination: .drop/}
    """
    project = a_project({"agent-sync.yaml": config, "keep/k.md": "k\n", "drop/d.md": "d\n"})
    project.project().update()
    project.project().sync()
    project.put(
        "agent-sync.yaml",
        "version: 1\nsources:\n  - {name: keep, type: local, path: ./keep/}\n"
        "targets:\n  - {source: keep, destination: .keep/}\n",
    )
    project.project().prune()
    assert project.outputs == {".keep/k.md": "k\n"}
    assert "drop" not in project.lock


def test_verify_says_which_sources_moved() -> None:
    project = synced()
    assert project.project().verify().up_to_date == ("rules",)
    project.put("rules/a.md", "new\n")
    before = project.files
    assert [delta.name for delta in project.project().verify().changed] == ["rules"]
    assert project.files == before


def test_prune_keeps_what_is_declared_though_the_lock_lacks_its_outputs() -> None:
    project = synced()
    project.put("agent-sync.lock", project.lock[: project.lock.index("outputs:")])
    assert project.project().check().clean
    assert project.project().prune().removed == ()
    assert project.outputs == {".cursor/rules/a.md": "a\n"}


def test_without_a_lock_status_lists_every_source_as_pending() -> None:
    project = a_local_project()
    result = project.project().status()
    assert [(row.name, row.pinned_at, row.state) for row in result.rows] == [("rules", "not locked", State.PENDING)]
    assert result.last_sync_s is None
    assert project.warnings == ["stale"]
    with pytest.raises(UsageError, match="neither declared nor locked"):
        project.project().status(["other"])
    assert "agent-sync.lock" not in project.files
