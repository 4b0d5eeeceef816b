"""update on fakes: what enters the lock, what stays, and what is refused."""

from __future__ import annotations

import pytest

from agent_sync.errors import BytesUnavailable, ContentRefused, LockInvalid, PartialFailure, UsageError
from tests.builders.projects import MemoryProject, a_local_project, a_project
from tests.builders.trees import sha256

REPO = "https://example.com/rules.git"

TWO = f"""
version: 1
sources:
  - {{name: first, type: git, repo: "{REPO}", ref: main}}
  - {{name: second, type: local, path: ./second/}}
targets:
  - {{source: first, destination: .first/}}
  - {{source: second, destination: .second/}}
"""


def two_sources() -> MemoryProject:
    project = a_project({"agent-sync.yaml": TWO, "second/b.md": "b\n"})
    project.git.add(REPO).commit({"a.md": "a\n"})
    return project


def entry_of(name: str, lock: str) -> str:
    """The text of one source's entry."""
    start = lock.index(f"  - name: {name}\n")
    return lock[start : lock.index("    status: ok\n", start)]


def test_update_locks_every_source_and_writes_the_lock() -> None:
    project = two_sources()
    result = project.project().update()
    assert result.written
    assert sha256("a\n") in project.lock
    assert sha256("b\n") in project.lock


def test_the_lock_is_remembered_before_it_is_written() -> None:
    """In the other order space that is reclaimed in between would take the new blobs."""
    project = two_sources()
    remembered: list[bool] = []

    def hear(verb: str, path: str) -> None:
        if verb in ("replace", "create", "rename") and path.endswith("agent-sync.lock"):
            remembered.append(bool(project.store.remembered))

    project.directory.machine.before_call = hear
    project.project().update()
    assert remembered
    assert all(remembered)


def test_a_second_update_changes_nothing_and_writes_nothing() -> None:
    project = two_sources()
    project.project().update()
    before = project.directory.stat(project.project().lock_file.name)
    again = project.project().update()
    assert not again.changes
    assert not again.written
    assert project.directory.stat(project.project().lock_file.name) == before


def test_an_update_of_one_source_leaves_the_text_of_the_other() -> None:
    project = two_sources()
    project.project().update()
    before = project.lock
    project.git.repositories[REPO].commit({"a.md": "new\n"})
    project.put("second/b.md", "also new\n")
    project.project().update(["first"])
    assert entry_of("second", project.lock) == entry_of("second", before)
    assert entry_of("first", project.lock) != entry_of("first", before)


def test_a_source_that_fails_keeps_its_entry_and_the_others_are_written() -> None:
    project = two_sources()
    project.project().update()
    before = project.lock
    project.git.repositories[REPO].refs.clear()
    project.put("second/b.md", "new\n")
    result = project.project().update()
    assert set(result.failures) == {"first"}
    assert entry_of("first", project.lock) == entry_of("first", before)
    assert sha256("new\n") in project.lock
    with pytest.raises(PartialFailure) as failed:
        result.raise_failures()
    assert failed.value.reason is None


def test_if_every_source_fails_for_one_reason_that_reason_speaks() -> None:
    project = a_project({"agent-sync.yaml": TWO, "second/b.md": "b\n"})
    project.git.add(REPO).commit({".claude/settings.json": "{}"})
    result = project.project().update(["first"])
    with pytest.raises(PartialFailure) as failed:
        result.raise_failures()
    assert isinstance(failed.value.reason, ContentRefused)
    assert "agent-sync.lock" not in project.files


def test_a_source_that_nobody_declared_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="not declared") as refused:
        two_sources().project().update(["frist"])
    assert "first" in (refused.value.remedy or "")


def test_a_dry_run_and_a_declined_update_leave_no_trace() -> None:
    project = two_sources()
    before = project.files
    assert project.project().update(dry_run=True).changes
    assert project.files == before
    declined = project.project().update(confirm=lambda result: not result.changes)
    assert not declined.written
    assert "agent-sync.lock" not in project.files


def test_offline_an_update_locks_local_sources_and_says_what_it_could_not_reach() -> None:
    project = two_sources()
    project.offline = True
    result = project.project().update()
    assert isinstance(result.failures["first"], BytesUnavailable)
    assert sha256("b\n") in project.lock


def test_a_corrupt_lock_stops_the_update_before_anything_is_fetched() -> None:
    project = two_sources()
    project.put("agent-sync.lock", "version: 1\n<<<<<<< ours\n")
    with pytest.raises(LockInvalid):
        project.project().update()


def test_what_a_target_gave_up_becomes_an_orphan() -> None:
    project = a_local_project()
    project.project().update()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "cline"))
    project.project().update()
    assert "orphans:\n  .cursor/rules/a.md:" in project.lock


def test_an_unknown_field_of_a_source_survives_an_update_of_it() -> None:
    project = a_local_project()
    project.project().update()
    project.put("agent-sync.lock", project.lock.replace("    status: ok\n", "    status: ok\n    note: mine\n"))
    project.put("rules/a.md", "changed\n")
    project.project().update()
    assert "    note: mine\n" in project.lock
    assert sha256("changed\n") in project.lock
