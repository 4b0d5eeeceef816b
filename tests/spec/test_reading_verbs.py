"""Spec §9.3 - §9.8: check, verify, status, info and the global flags (R087 - R094, R098)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.repositories import a_git_repository
from tests.real.https_files import FileServer
from tests.spec.test_lock_content import sha256, url_config

COMMANDS = (
    "init",
    "update",
    "sync",
    "check",
    "verify",
    "status",
    "diff",
    "prune",
    "restore",
    "recover",
    "info",
    "migrate",
)
GLOBAL_FLAGS = ("--config", "--lockfile", "--verbose", "--quiet", "--no-color", "--no-inherit")


def synced(tmp_path: Path) -> CommandMachine:
    machine = a_local_machine(tmp_path, "", a_md="a\n", b_md="b\n")
    machine.lock_and_sync()
    return machine


def test_r087_check_reports_changed_and_missing_files(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cursor/rules/a.md", "edited\n")
    (machine.project / ".cursor/rules/b.md").unlink()
    said = machine.run("check", expect=1).said
    assert re.search(r"changed.*\.cursor/rules/a\.md", said)
    assert re.search(r"missing.*\.cursor/rules/b\.md", said)


def test_r088_check_reports_strays_and_orphans(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cursor/rules/stray.md", "stray\n")
    assert ".cursor/rules/stray.md" in machine.run("check", expect=1).said
    (machine.project / ".cursor/rules/stray.md").unlink()
    machine.configure(machine.read("agent-sync.yaml").replace("cursor", "cline"))
    machine.run("update", "--yes")
    machine.run("sync")
    assert ".cursor/rules/a.md" in machine.run("check", expect=1).said


def test_r089_check_is_clean_after_sync_also_with_templates_and_overrides_and_changes_nothing(tmp_path: Path) -> None:
    config = (
        "variables: {x: y}\ntransforms:\n  - {source: rules, type: template}\n"
        "overrides:\n  - {target: a.md, strategy: append, file: ext.md}\n"
    )
    machine = a_local_machine(tmp_path, config, a_md="{{ .x }}\n")
    machine.put("ext.md", "e\n")
    machine.lock_and_sync()
    before = machine.tree()
    machine.run("check")
    machine.run("check", "--strict", "--deep")
    machine.run("check", "--fast")
    assert machine.tree() == before


def three_kinds(tmp_path: Path, files: FileServer) -> tuple[CommandMachine, str]:
    """A machine with a git, a url and a local source; the url's path on the server."""
    a_git_repository(tmp_path / "rules", {"a.md": "a\n"})
    name = f"{tmp_path.name}/policy.md"
    url = files.publish(name, b"policy\n")
    config = url_config(url, f"sha256:{sha256(b'policy' + bytes([10]))}").replace(
        "targets:\n",
        f"  - {{name: git, type: git, repo: {tmp_path / 'rules'}, ref: main}}\n"
        "  - {name: local, type: local, path: ./local/}\ntargets:\n"
        "  - {source: git, destination: .git-rules/}\n  - {source: local, destination: .local/}\n",
    )
    machine = a_machine(tmp_path, {"agent-sync.yaml": config, "local/l.md": "l\n"})
    machine.lock_and_sync()
    return machine, name


@pytest.mark.parametrize("moved", ["git", "policy", "local"])
def test_r090_verify_names_the_source_that_moved_upstream(tmp_path: Path, http_files: FileServer, moved: str) -> None:
    machine, name = three_kinds(tmp_path, http_files)
    machine.run("verify")
    if moved == "git":
        a_git_repository_moves(tmp_path / "rules")
    elif moved == "policy":
        http_files.publish(name, b"another policy\n")
    else:
        machine.put("local/l.md", "changed\n")
    before = machine.tree()
    said = machine.run("verify", expect=1).said
    assert moved in said
    assert machine.tree() == before


def a_git_repository_moves(path: Path) -> None:
    from tests.builders.repositories import GitRepository

    GitRepository(path).commit({"a.md": "moved\n"})


def test_r091_verify_changes_nothing_and_ends_well_when_all_is_equal(tmp_path: Path, http_files: FileServer) -> None:
    machine, _ = three_kinds(tmp_path, http_files)
    before = machine.tree()
    machine.run("verify")
    assert machine.tree() == before


def test_r092_verify_takes_names_and_refuses_unknown_ones(tmp_path: Path, http_files: FileServer) -> None:
    machine, name = three_kinds(tmp_path, http_files)
    http_files.publish(name, b"another policy\n")
    machine.run("verify", "git", "local")
    machine.run("verify", "policy", expect=1)
    assert "nope" in machine.run("verify", "nope", expect=2).err


def test_r093_status_has_a_row_for_each_source_with_its_state(tmp_path: Path, http_files: FileServer) -> None:
    machine, _ = three_kinds(tmp_path, http_files)
    said = machine.run("status").out
    header, *rows = [line.split() for line in said.splitlines() if line]
    assert header[:3] == ["SOURCE", "TYPE", "PINNED"]
    assert {row[0]: row[1] for row in rows if row[0] in ("git", "policy", "local")} == {
        "git": "git",
        "policy": "url",
        "local": "local",
    }
    assert said.count("synced") == 3
    assert ".git-rules/" in said
    machine.put(".local/l.md", "edited\n")
    assert "drifted" in machine.run("status", "local").out
    (machine.project / ".local/l.md").unlink()
    assert "missing" in machine.run("status", "local").out
    other = machine.another("other")
    assert "pending" in other.run("status").out


def test_r093_a_local_source_whose_directory_has_changed_is_pending(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put("rules/a.md", "changed\n")
    ran = machine.run("status")
    assert "pending" in ran.out
    assert 'changed "a.md"' in ran.err
    assert "agent-sync update rules" in ran.err
    machine.put("rules/a.md", "a\n")
    assert "synced" in machine.run("status").out
    (machine.project / "rules/link.md").symlink_to("a.md")
    ran = machine.run("status")
    assert "pending" in ran.out
    assert "link.md" in ran.err
    shutil.rmtree(machine.project / "rules")
    ran = machine.run("status")
    assert ("synced" in ran.out, ran.err) == (True, "")


def test_r093_without_a_lock_every_source_is_pending(tmp_path: Path) -> None:
    ran = a_local_machine(tmp_path).run("status")
    assert [line.split()[:2] + line.split()[-1:] for line in ran.out.splitlines()[1:2]] == [
        ["rules", "local", "pending"]
    ]
    assert "agent-sync update rules" in ran.err


def test_r094_info_tells_versions_places_and_tools(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "tool_definitions:\n  - {name: mine, destination: .mine/}\n")
    machine.lock_and_sync()
    said = machine.run("info").out
    for told in ("0.1.0", "0.4", "agent-sync.yaml", "agent-sync.lock", ".cache/agent-sync", "cursor", "mine", ".mine"):
        assert told in said
    document = json.loads(machine.run("info", "--json").out)
    assert document["schema_version"] == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_r098_every_command_has_the_global_flags(tmp_path: Path, command: str) -> None:
    said = a_machine(tmp_path).run(command, "--help").out
    for flag in (*GLOBAL_FLAGS, "--json", "--offline"):
        assert flag in said


def test_r098_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    for words in (["update", "--yes"], ["sync"], ["check"]):
        assert machine.run(*words, "--quiet").said == ""
    machine.put(".cursor/rules/a.md", "edited\n")
    machine.put("rules/a.md", "edited too\n")
    assert "rules" in machine.run("sync", "--quiet", expect=4).err


def test_r098_no_colour_means_no_escape(tmp_path: Path) -> None:
    machine = synced(tmp_path)
    machine.put(".cursor/rules/a.md", "edited\n")
    for words in (["status"], ["diff"], ["check"], ["sync", "--dry-run"]):
        assert (
            "\x1b"
            not in machine.run(
                *words, "--no-color", expect=None, environment={"CLICOLOR_FORCE": "1", "FORCE_COLOR": "1"}
            ).said
        )


def test_r098_a_lockfile_and_a_configuration_elsewhere(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    (machine.project / "agent-sync.yaml").rename(machine.project / "other.yaml")
    machine.run("update", "--yes", "--config", "other.yaml", "--lockfile", "other.lock")
    machine.run("sync", "--lockfile", "other.lock", "--config", "other.yaml")
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}
    assert not machine.exists("agent-sync.lock")
