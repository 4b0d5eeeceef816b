"""sync on fakes: what should be there is there, edits are kept, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.errors import (
    AmbiguousOutput,
    BytesUnavailable,
    DigestMismatch,
    FileSystemError,
    LockMissing,
    LockStale,
    TransformFailed,
    UnsafePath,
)
from agent_sync.events import BlobSetAside, EditKept
from agent_sync.plan.actions import Step
from agent_sync.ports import Kind
from tests.builders.directories import put_other
from tests.builders.projects import MemoryProject, a_local_project, a_project
from tests.builders.trees import sha256


def locked(config: str = "", **files: str) -> MemoryProject:
    project = a_local_project(config, rules={name.replace("_", "."): text for name, text in files.items()} or None)
    project.project().update()
    return project


def test_sync_writes_the_outputs_and_a_second_one_writes_nothing() -> None:
    project = locked()
    assert [action.path for action in project.project().sync().written] == [".cursor/rules/a.md"]
    again = project.project().sync()
    assert again.plan.actions == ()
    assert again.unchanged == (".cursor/rules/a.md",)


def test_sync_never_writes_the_lock() -> None:
    project = locked()
    name = project.project().lock_file.name
    before = project.directory.stat(name)
    project.project().sync()
    assert project.directory.stat(name) == before


def test_an_edit_is_replaced_kept_and_can_be_restored() -> None:
    project = locked()
    project.project().sync()
    project.put(".cursor/rules/a.md", "mine\n")
    project.project().sync()
    assert project.outputs[".cursor/rules/a.md"] == "a\n"
    assert [event.path for event in project.events if isinstance(event, EditKept)] == [".cursor/rules/a.md"]
    project.project().restore(".cursor/rules/a.md")
    assert project.outputs[".cursor/rules/a.md"] == "mine\n"


def test_a_file_that_was_never_ours_is_kept_too() -> None:
    project = locked()
    project.put(".cursor/rules/a.md", "was here first\n")
    project.project().sync()
    project.project().restore(".cursor/rules/a.md")
    assert project.outputs[".cursor/rules/a.md"] == "was here first\n"


def test_what_we_wrote_ourselves_is_not_kept_when_it_is_replaced() -> None:
    project = locked()
    project.project().sync()
    project.put("rules/a.md", "new\n")
    project.project().update()
    project.project().sync()
    assert not [event for event in project.events if isinstance(event, EditKept)]


def test_without_a_lock_sync_names_the_command_that_makes_one() -> None:
    with pytest.raises(LockMissing) as missing:
        a_local_project().project().sync()
    assert "agent-sync update" in (missing.value.remedy or "")


def test_a_changed_declaration_makes_the_lock_stale() -> None:
    project = locked()
    project.put("other/a.md", "other\n")
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("./rules/", "./other/"))
    with pytest.raises(LockStale, match="`path`"):
        project.project().sync()


def test_a_local_source_that_changed_since_it_was_locked_stops_the_sync() -> None:
    project = locked()
    project.put("rules/a.md", "edited\n")
    with pytest.raises(LockStale, match=r"a\.md"):
        project.project().sync()
    assert project.outputs == {}


def test_a_local_source_that_is_gone_is_served_by_the_store() -> None:
    project = locked()
    project.directory.drop("rules")
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "a\n"}


def test_frozen_looks_neither_at_the_configuration_nor_at_local_sources() -> None:
    project = locked()
    project.put("rules/a.md", "edited\n")
    project.put("agent-sync.yaml", "version: [\n")
    project.project().sync(frozen=True)
    assert project.outputs == {".cursor/rules/a.md": "a\n"}


def test_a_changed_target_is_derived_with_a_warning_and_refused_when_locked() -> None:
    project = locked()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "cline"))
    with pytest.raises(LockStale):
        project.project().sync(locked=True)
    project.project().sync()
    assert project.outputs == {".cline/rules/a.md": "a\n"}
    assert "recipe-changed" in project.warnings
    assert project.project().check().clean


def test_orphans_stay_until_prune_and_check_reports_them() -> None:
    project = locked()
    project.project().sync()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "cline"))
    project.project().update()
    assert project.project().sync().orphans == (".cursor/rules/a.md",)
    assert project.project().check().drift.orphaned == (".cursor/rules/a.md",)
    removed = project.project().sync(prune=True).removed
    assert [action.path for action in removed] == [".cursor/rules/a.md"]
    assert project.project().check().clean


def test_a_corrupt_blob_is_set_aside_and_packed_again_from_the_directory() -> None:
    project = locked()
    [blob] = [each for each, content in project.store.blobs.items() if b"a\n" in content]
    project.store.blobs[blob] = project.store.blobs[blob].replace(b"a\n", b"b\n")
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "a\n"}
    assert [event.digest for event in project.events if isinstance(event, BlobSetAside)] == [blob]


def test_without_store_and_directory_there_are_no_bytes_and_nothing_is_written() -> None:
    project = locked()
    project.directory.drop("rules")
    project.store.blobs.clear()
    with pytest.raises(BytesUnavailable):
        project.project().sync()
    assert project.outputs == {}


def test_a_link_in_the_place_of_a_target_is_refused() -> None:
    project = locked()
    put_other(project.directory, ".cursor/rules/a.md", Kind.LINK)
    with pytest.raises(UnsafePath, match="symbolic link"):
        project.project().sync()


def test_a_directory_in_the_place_of_a_target_is_refused_before_anything_is_written() -> None:
    project = locked(a_md="a\n", b_md="b\n")
    put_other(project.directory, ".cursor/rules/b.md", Kind.DIRECTORY)
    with pytest.raises(FileSystemError) as refused:
        project.project().sync()
    assert "rules" in refused.value.subject
    assert ".cursor/rules/a.md" not in project.outputs


def test_a_dry_run_shows_every_change_and_makes_none() -> None:
    project = locked(a_md="a\n", b_md="b\n")
    project.project().sync()
    project.put(".cursor/rules/a.md", "mine\n")
    project.directory.drop(".cursor/rules/b.md")
    before = project.files
    result = project.project().sync(dry_run=True)
    assert [(action.step, action.path) for action in result.plan.actions] == [
        (Step.REPLACE, ".cursor/rules/a.md"),
        (Step.CREATE, ".cursor/rules/b.md"),
    ]
    assert "-mine\n+a\n" in result.diffs[0].text
    assert project.files == before


def test_a_dry_run_of_a_first_sync_does_not_even_make_our_own_directory() -> None:
    project = locked()
    project.directory.drop(".agent-sync")
    project.project().sync(dry_run=True)
    assert ".agent-sync/.gitignore" not in project.files


TWO = """
version: 1
sources:
  - {name: one, type: local, path: ./one/}
  - {name: two, type: local, path: ./two/}
targets:
  - {source: one, destination: .out/}
  - {source: two, destination: .out/}
"""


def test_two_sources_on_one_file_are_refused_with_both_names() -> None:
    project = a_project({"agent-sync.yaml": TWO, "one/x.md": "1\n", "two/x.md": "2\n"})
    with pytest.raises(AmbiguousOutput, match='"one" and "two"'):
        project.project().update()


def test_an_override_settles_a_conflict_over_the_file_of_the_last_target() -> None:
    settled = TWO + "overrides:\n  - {target: x.md, strategy: append, file: ext.md}\n"
    project = a_project({"agent-sync.yaml": settled, "one/x.md": "1\n", "two/x.md": "2\n", "ext.md": "3\n"})
    project.project().update()
    project.project().sync()
    assert project.outputs == {".out/x.md": "2\n3\n"}


def test_an_override_that_matches_no_output_is_an_error() -> None:
    project = a_local_project("overrides:\n  - {target: nope.md, strategy: append, file: rules/a.md}\n")
    with pytest.raises(TransformFailed, match=r"nope\.md"):
        project.project().update()


def test_a_lock_in_which_a_new_source_was_merged_with_an_old_override_is_rendered_anew() -> None:
    project = _overridden()
    old = project.lock
    project.put("rules/a.md", "new base\n")
    project.project().update()
    merged = project.lock[: project.lock.index("outputs:")] + old[old.index("outputs:") :]
    project.put("agent-sync.lock", merged)
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "new base\next\n"}


def _overridden() -> MemoryProject:
    project = a_local_project("overrides:\n  - {target: a.md, strategy: append, file: ext/e.md}\n")
    project.put("ext/e.md", "ext\n")
    project.project().update()
    return project


def test_a_second_checkout_offline_holds_the_same_bytes() -> None:
    project = _overridden()
    project.project().sync()
    other = project.another_checkout()
    other.store.blobs = dict(project.store.blobs)
    other.directory.drop("rules")
    other.offline = True
    other.project().sync()
    assert other.outputs == project.outputs


def test_a_rendered_file_that_no_store_has_is_made_again() -> None:
    project = _overridden()
    other = project.another_checkout()
    other.project().sync()
    assert other.outputs == {".cursor/rules/a.md": "a\next\n"}


def test_a_lock_that_claims_another_result_of_an_override_is_refused() -> None:
    project = _overridden()
    other = project.another_checkout()
    rendered = other.lock.index("rendered:")
    start = other.lock.index("sha256: ", other.lock.index(".cursor/rules/a.md", rendered)) + 8
    forged = other.lock[:start] + '"' + "0" * 64 + '"' + other.lock[other.lock.index("\n", start) :]
    other.put("agent-sync.lock", forged)
    with pytest.raises(DigestMismatch, match=r'a second run .*: changed ".cursor/rules/a.md"'):
        other.project().sync()
    assert other.outputs == {}


POLICY = sha256("policy\n")


def test_sources_that_were_handed_over_in_directories_serve_a_cold_store() -> None:
    url = "https://example.com/policy.md"
    config = f"""
    version: 1
    sources:
      - {{name: rules, type: local, path: ./rules/}}
      - {{name: policy, type: url, url: "{url}", checksum: "sha256:{POLICY}"}}
    targets:
      - {{source: rules, tools: [cursor]}}
      - {{source: policy, tools: [cursor]}}
    """
    project = a_project({"agent-sync.yaml": config, "rules/a.md": "a\n"})
    project.web.served[url] = b"policy\n"
    project.project().update()
    other = project.another_checkout()
    other.web.served.clear()
    other.offline = True
    other.put("supplied/rules/a.md", "a\n")
    other.put("supplied/policy/policy.md", "policy\n")
    supplied = {name: f"/project/supplied/{name}" for name in ("rules", "policy")}
    replace(other.project(), supplied=supplied).sync()
    assert other.outputs == {".cursor/rules/a.md": "a\n", ".cursor/rules/policy.md": "policy\n"}
