"""Each command in a real project: what it says, what its document holds, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.result_documents import documented_fields, verb_of
from tests.builders.screens import ESC, Here, Told, inside

COMMANDS = (
    "update --yes", "sync", "check", "status", "diff", "verify", "prune", "migrate", "info",
    "recover", "cache list", "cache verify", "cache gc",
)  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    return a_local_machine(tmp_path, a_md="a\n", b_md="b\n")


@pytest.fixture
def synced(machine: CommandMachine) -> CommandMachine:
    for command in ("update --yes", "sync"):
        assert inside(machine).run(*command.split()).code == 0
    return machine


def run(machine: CommandMachine, line: str, *, code: int = 0, at: Here | None = None) -> Told:
    told = (at or inside(machine)).run(*line.split())
    assert told.code == code, told
    return told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_document_has_the_fields_that_are_documented(synced: CommandMachine, command: str) -> None:
    document = run(synced, f"--json {command}").document
    verb = verb_of(command.removesuffix(" --yes"))
    assert document.keys() == documented_fields(verb.name)
    assert document["command"] == verb.name


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_says_nothing(synced: CommandMachine, command: str) -> None:
    told = run(synced, f"{command} --quiet")
    assert (told.out, told.err) == ("", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_at_a_terminal_no_color_writes_no_escape_character(synced: CommandMachine, command: str) -> None:
    told = run(synced, f"{command} --no-color", at=inside(synced, at_terminal=True))
    assert ESC not in told.out + told.err


def test_init_writes_a_configuration_that_can_be_synced_at_once(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {".cursor/mine.md": "mine\n"})
    told = run(machine, "init")
    assert "wrote agent-sync.yaml\nwrote agents/rules.md\ntools: cursor (found here)\n" in told.out
    run(machine, "update --yes")
    assert run(machine, "sync").out == "wrote 1 file\n"
    assert machine.exists(".cursor/rules/rules.md")
    assert "already exists" in run(machine, "init", code=2).err


def test_init_has_its_document(tmp_path: Path) -> None:
    document = run(a_machine(tmp_path), "init --json").document
    assert document["written"] == ["agent-sync.yaml", "agents/rules.md"]
    assert (document["tools"], document["tools_found"]) == (["claude-code"], False)


def test_update_shows_what_changes_and_with_verbose_every_file(machine: CommandMachine) -> None:
    assert run(machine, "update --yes").out == (
        "agent-sync.lock\n  rules  new: (2 files)  +2\n         outputs         +2\nwrote agent-sync.lock\n"
    )
    machine.put("rules/a.md", "changed\n")
    machine.put("rules/c.md", "c\n")
    (machine.project / "rules/b.md").unlink()
    assert run(machine, "update --dry-run --verbose").out == (
        "agent-sync.lock\n"
        "  rules  (2 files)  +1 ~1 -1\n    ~ a.md\n    - b.md\n    + c.md\n"
        "    outputs  +1 ~1 -1\n    ~ .cursor/rules/a.md\n    - .cursor/rules/b.md\n    + .cursor/rules/c.md\n"
        "dry run: agent-sync.lock not written\n"
    )


def test_update_says_so_if_there_is_nothing_to_do(synced: CommandMachine) -> None:
    assert run(synced, "update").out == "agent-sync.lock is up to date\n"


def test_the_document_of_update_has_every_change(machine: CommandMachine) -> None:
    document = run(machine, "update --yes --json").document
    files = {"added": ["a.md", "b.md"], "changed": [], "removed": []}
    nothing: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    assert document["sources"] == [
        {"name": "rules", "before": None, "after": "(2 files)", "files": files, "transformed": nothing}
    ]
    assert document["outputs"]["added"] == [".cursor/rules/a.md", ".cursor/rules/b.md"]
    assert (document["written"], document["changes"], document["requested"]) == (True, True, ["rules"])


def test_a_dry_run_of_sync_shows_each_path_and_its_diff(machine: CommandMachine) -> None:
    run(machine, "update --yes")
    machine.put(".cursor/rules/a.md", "mine\n")
    assert run(machine, "sync --dry-run").out == (
        "replace .cursor/rules/a.md (rules, edited here: the edit is kept)\n"
        "create  .cursor/rules/b.md (rules)\n"
        "--- a/.cursor/rules/a.md\n+++ b/.cursor/rules/a.md\n@@ -1 +1 @@\n-mine\n+a\n"
        "--- /dev/null\n+++ b/.cursor/rules/b.md\n@@ -0,0 +1 @@\n+b\n"
        "would write 2 files\n"
    )


def test_sync_says_how_a_replaced_edit_comes_back_and_restore_does_it(synced: CommandMachine) -> None:
    synced.put(".cursor/rules/a.md", "mine\n")
    told = run(synced, "sync --verbose")
    assert told.out == (
        "replace .cursor/rules/a.md (rules, edited here: the edit is kept)\n"
        "wrote 1 file; 1 file up to date\n"
        "kept your edit of .cursor/rules/a.md; to bring it back: agent-sync restore .cursor/rules/a.md\n"
    )
    assert run(synced, "restore .cursor/rules/a.md").out.startswith(
        "restored .cursor/rules/a.md from the edit kept just now\n"
    )
    assert synced.read(".cursor/rules/a.md") == "mine\n"
    assert run(synced, "restore .cursor/rules/a.md --json", code=2).document["error"]["rule"] == "usage"


def test_a_file_name_that_a_shell_would_split_is_quoted(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": a_local_machine_config(), "rules/two words.md": "a\n"})
    run(machine, "update --yes")
    run(machine, "sync")
    machine.put(".cursor/rules/two words.md", "mine\n")
    assert "agent-sync restore '.cursor/rules/two words.md'\n" in run(machine, "sync").out


def a_local_machine_config() -> str:
    return (
        "version: 1\nsources: [{name: rules, type: local, path: ./rules/}]\n"
        "targets: [{source: rules, tools: [cursor]}]\n"
    )


def test_the_document_of_sync_has_what_was_kept_and_done(synced: CommandMachine) -> None:
    synced.put(".cursor/rules/a.md", "mine\n")
    document = run(synced, "sync --json").document
    assert document["actions"] == [{"step": "replace", "path": ".cursor/rules/a.md", "source": "rules", "edited": True}]
    assert [each["path"] for each in document["kept"]] == [".cursor/rules/a.md"]
    assert (document["unchanged"], document["dry_run"], document["diffs"]) == (1, False, [])


@pytest.mark.parametrize("flags", ["--locked --frozen", "--frozen --locked"])
def test_locked_and_frozen_exclude_each_other(synced: CommandMachine, flags: str) -> None:
    assert "--locked and --frozen" in run(synced, f"sync {flags}", code=2).err


def test_orphans_are_named_and_prune_removes_them(synced: CommandMachine) -> None:
    synced.configure(a_local_machine_config().replace("cursor", "windsurf"))
    run(synced, "update --yes")
    told = run(synced, "sync")
    orphans = "  .cursor/rules/a.md\n  .cursor/rules/b.md\n"
    assert told.out == f"wrote 2 files\nno longer declared (run agent-sync prune to delete):\n{orphans}"
    assert "orphaned   .cursor/rules/a.md (rules)\n" in run(synced, "check", code=1).out
    removal = "delete  .cursor/rules/a.md (rules)\ndelete  .cursor/rules/b.md (rules)\n"
    assert run(synced, "prune --dry-run").out == f"{removal}would delete 2 files; the lock would change\n"
    assert run(synced, "prune").out == f"{removal}deleted 2 files; lock updated\n"
    assert run(synced, "prune").out == "nothing to prune\n"


def test_an_edited_orphan_stays_and_is_named(synced: CommandMachine) -> None:
    synced.configure(a_local_machine_config().replace("cursor", "windsurf"))
    run(synced, "update --yes")
    synced.put(".cursor/rules/a.md", "mine\n")
    told = "no longer declared, but edited: delete or move them, then run agent-sync prune:\n  .cursor/rules/a.md\n"
    assert told in run(synced, "sync --prune").out
    assert told in run(synced, "prune").out
    assert run(synced, "prune --json").document["kept_back"] == [".cursor/rules/a.md"]


def test_check_tells_every_kind_of_drift(synced: CommandMachine) -> None:
    assert run(synced, "check").out == "2 files checked, no drift\n"
    synced.put(".cursor/rules/a.md", "mine\n")
    synced.put(".cursor/rules/stray.md", "stray\n")
    (synced.project / ".cursor/rules/b.md").unlink()
    assert run(synced, "check", code=1).out == (
        "changed    .cursor/rules/a.md (rules)\n"
        "missing    .cursor/rules/b.md (rules)\n"
        "unexpected .cursor/rules/stray.md\n"
        "2 files checked: 1 changed, 1 missing, 1 unexpected\n"
        "to see the changes: agent-sync diff\nto write the locked files: agent-sync sync\n"
        "move unexpected files, or set `shared: true` on the target\n"
    )
    document = run(synced, "check --json", code=1).document
    assert document["clean"] is False
    assert document["missing"] == [{"path": ".cursor/rules/b.md", "source": "rules"}]
    assert document["unexpected"] == [".cursor/rules/stray.md"]


def test_foreign_files_in_shared_directories_are_notes_unless_strict(tmp_path: Path) -> None:
    machine = a_machine(
        tmp_path,
        {"agent-sync.yaml": a_local_machine_config().replace("cursor", "claude-code"), "rules/a.md": "a\n"},
    )
    run(machine, "update --yes")
    run(machine, "sync")
    machine.put(".claude/mine.md", "mine\n")
    line = "foreign    .claude/mine.md\n"
    assert run(machine, "check").out == f"{line}1 file checked, no drift; 1 foreign file in shared directories\n"
    assert run(machine, "check --strict", code=1).out == f"{line}1 file checked: 1 foreign\n"


def test_status_is_a_table(machine: CommandMachine) -> None:
    run(machine, "update --yes")
    assert run(machine, "status").out == (
        "SOURCE  TYPE   PINNED AT  TARGETS         STATE\n"
        "rules   local  (2 files)  .cursor/rules/  pending\n"
        "last sync: unknown\n"
    )
    run(machine, "sync")
    machine.put(".cursor/rules/a.md", "mine\n")
    (row,) = run(machine, "status rules --json").document["sources"]
    assert row == {
        "name": "rules",
        "type": "local",
        "pinned_at": "(2 files)",
        "targets": [".cursor/rules/"],
        "state": "drifted",
    }
    assert "neither declared nor locked" in run(machine, "status rulez", code=2).err


def test_diff_is_empty_or_ends_with_1(synced: CommandMachine) -> None:
    assert run(synced, "diff").out == ""
    synced.put(".cursor/rules/a.md", b"mine\x1b[31m\n")
    synced.put(".cursor/rules/b.md", "mine, too\n")
    told = run(synced, "diff .cursor/rules/a.md", code=1)
    assert told.out == "--- a/.cursor/rules/a.md\n+++ b/.cursor/rules/a.md\n@@ -1 +1 @@\n-mine\\x1b[31m\n+a\n"
    assert [each["path"] for each in run(synced, "diff --json", code=1).document["diffs"]] == [
        ".cursor/rules/a.md",
        ".cursor/rules/b.md",
    ]


def test_verify_ends_with_1_if_upstream_moved(synced: CommandMachine) -> None:
    assert run(synced, "verify").out == "1 source up to date: rules\n"
    synced.put("rules/a.md", "changed\n")
    told = run(synced, "verify rules", code=1)
    assert told.out == "changed  rules  (2 files), new content\nto lock the newer versions: agent-sync update\n"
    (changed,) = run(synced, "verify --json", code=1).document["changed"]
    assert changed["name"] == "rules"


def test_a_source_that_cannot_be_asked_is_told_beside_the_others(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    run(machine, "update --yes")
    (machine.project / "rules/link.md").symlink_to("/etc/hostname")
    told = run(machine, "verify", code=7)
    assert told.out == "failed  rules  could not be checked\n"
    assert "source rules" in told.err
    (failure,) = run(machine, "verify --json", code=7).document["failures"]
    assert failure["source"] == "rules"


def test_migrate_has_nothing_to_do_yet(machine: CommandMachine) -> None:
    assert run(machine, "migrate").out == "no lock file: nothing to migrate\n"
    run(machine, "update --yes")
    assert run(machine, "migrate").out == "the lock file is in the current format: nothing to migrate\n"
    text = machine.read("agent-sync.lock")
    machine.put("agent-sync.lock", f"# a comment\n{text}")
    assert run(machine, "migrate --dry-run").out == "would rewrite the lock file: same meaning, canonical form\n"
    assert machine.read("agent-sync.lock") != text
    run(machine, "migrate")
    assert machine.read("agent-sync.lock") == text


def test_info_tells_versions_places_and_tools(machine: CommandMachine, tmp_path: Path) -> None:
    machine.configure(a_local_machine_config() + "tool_definitions: [{name: mine, destination: .mine/}]\n")
    told = run(machine, "info", at=inside(machine, AGENT_SYNC_USER_CONFIG=str(tmp_path / "me.yaml")))
    for part in (
        "specification  0.4, format version 1\n",
        f"user: {tmp_path}/me.yaml (not found)\n",
        f"project: {machine.project}/agent-sync.yaml (found)\n",
        f"lock           {machine.project}/agent-sync.lock (not found)\n",
        f"cache          {machine.home}/.cache/agent-sync/store (0 B)\n",
        "claude-code: .claude/ (shared with you)\n",
        "mine: .mine/ (custom)\n",
        "--no-inherit ignores all but the project's)\n",
    ):
        assert part in told.out
    assert run(machine, "info --no-inherit --json").document["inherit"] is False


def test_recover_says_if_nothing_was_interrupted(synced: CommandMachine) -> None:
    assert run(synced, "recover").out == "nothing was interrupted\n"
    assert run(synced, "recover --json").document["recovered"] is None


def test_the_cache_is_listed_verified_and_reclaimed(synced: CommandMachine) -> None:
    listed = run(synced, "cache list").out
    assert f"  {synced.project}/agent-sync.lock: source rules\n" in listed
    assert listed.endswith(" kB\n")
    assert run(synced, "cache verify").out == "2 blobs verified\n"
    assert run(synced, "cache gc").out == "deleted 0 blobs (0 B), kept 2 blobs\n"
    assert "DAYS" not in run(synced, "cache gc --keep-days -1", code=2).out


def test_a_corrupt_blob_ends_cache_verify_with_5(synced: CommandMachine) -> None:
    blobs = synced.home / ".cache/agent-sync/store/blobs/sha256"
    victim = max(blobs.iterdir(), key=lambda blob: blob.stat().st_size)
    victim.chmod(0o600)
    victim.write_bytes(b"changed")
    told = run(synced, "cache verify", code=5)
    assert f"corrupt sha256:{victim.name[:12]}, set aside\n2 blobs checked: 1 corrupt\n" == told.out
    assert "warning[blob-set-aside]" in told.err
