"""A first day with the program: what a newcomer does, does wrong, and is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, a_local_machine, a_machine
from tests.real.https_files import FileServer
from tests.spec.test_lock_content import sha256, url_config


def test_from_nothing_to_files_and_back(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    assert "agent-sync init" in machine.run("check", expect=3).err
    assert "next: agent-sync update" in machine.run("init").out
    assert "agent-sync update" in machine.run("sync", expect=4).err
    assert "--yes" in machine.run("update", expect=2).err
    machine.run("update", "--yes")
    assert machine.run("sync").out == "wrote 1 file\n"
    assert machine.run("sync").out == "up to date (1 file)\n"
    machine.put(".claude/rules.md", "mine\n")
    assert "-mine" in machine.run("diff", expect=1).out
    assert "agent-sync restore .claude/rules.md" in machine.run("sync").out
    machine.run("restore", ".claude/rules.md")
    assert machine.read(".claude/rules.md") == "mine\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["snyc"], 2, "Did you mean 'sync'?"),
        (["sync", "--frozn"], 2, "--frozen"),
        (["sync", "--locked", "--frozen"], 2, "mutually exclusive"),
        (["update", "rule"], 2, 'did you mean "rules"?'),
        (["status", "rule"], 2, 'did you mean "rules"?'),
        (["verify", "other"], 2, "choose one of: rules"),
        (["diff", "nowhere"], 2, "agent-sync status"),
        (["restore", ".cursor/rules/a.md"], 2, "no edits are kept for this project"),
        (["restore", "../../etc/passwd"], 7, "relative to the project root"),
        (["check", "--config", "other.yaml"], 3, "correct the path"),
        (["check", "--lockfile", "other.lock"], 4, "agent-sync --lockfile other.lock update"),
        (["cache", "gc", "--keep-days", "many"], 2, "--keep-days"),
    ],
)
def test_a_slip_on_the_command_line_is_told_with_the_way_out(
    tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    before = machine.tree()
    ran = machine.run(*words, expect=code)
    assert told in ran.err
    assert ran.out == ""
    assert machine.tree() == before


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("sources:", "surces:", "did you mean `sources`?"),
        ("path: ./rules/", "pth: ./rules/", "did you mean `path` where it says `pth`?"),
        ("cursor", "cursr", 'did you mean "cursor"?'),
        ("source: rules", "source: ruels", 'did you mean "rules"?'),
        ("targets:", "targts:", "did you mean `targets`?"),
    ],
)
def test_a_slip_in_the_configuration_is_told_with_what_was_meant(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    machine = a_local_machine(tmp_path)
    machine.configure(LOCAL.replace(right, wrong))
    assert told in machine.run("update", "--yes", expect=None).err


def test_below_the_project_one_is_told_where_it_is(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    ran = machine.run("check", where=machine.project / "rules", expect=3)
    assert f"the nearest one is in a parent directory: cd {machine.project}" in ran.err
    machine.run("check", "--config", "../agent-sync.yaml", where=machine.project / "rules")


def test_a_path_may_be_written_as_a_shell_completes_it(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    for path in ("./.cursor/rules/a.md", ".cursor//rules/a.md", f"{machine.project}/.cursor/rules/a.md"):
        machine.put(".cursor/rules/a.md", "mine\n")
        assert "-mine" in machine.run("diff", path, expect=1).out
        assert "-mine" in machine.run("diff", f"{Path(path).parent}/", expect=1).out
        machine.run("sync")
        machine.run("restore", path)
        assert machine.read(".cursor/rules/a.md") == "mine\n"
        machine.run("sync")
    assert 'kept edits: ".cursor/rules/a.md"' in machine.run("restore", "b.md", expect=2).err


def test_many_orphans_are_told_in_few_lines(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", **{f"f{number:02}_md": "x\n" for number in range(30)})
    machine.lock_and_sync()
    machine.configure("version: 1\n")
    machine.run("update", "--yes")
    told = machine.run("sync").out.splitlines()
    assert len(told) == 13
    assert told[-1] == "  and 20 more (--verbose lists them)"
    assert ".cursor/rules/f29.md" in machine.run("sync", "--verbose").out
    assert "deleted 30 files" in machine.run("sync", "--prune").out
    assert machine.run("prune", "--dry-run").out == "no files left to delete; the lock would change\n"
    assert machine.run("prune").out == "no files left to delete; lock updated\n"
    assert machine.run("prune").out == "nothing to prune\n"


def test_a_configuration_that_declares_nothing_has_a_lock_with_nothing(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, {"agent-sync.yaml": "version: 1\n"})
    assert "agent-sync.lock: new and empty" in machine.run("update", "--yes").out
    machine.run("sync")
    machine.run("check", "--strict", "--deep")


def test_a_url_that_serves_something_new_wants_a_new_checksum(tmp_path: Path, http_files: FileServer) -> None:
    name = f"{tmp_path.name}/p.md"
    url = http_files.publish(name, b"policy\n")
    config = url_config(url, f"sha256:{sha256('policy' + chr(10))}")
    machine = a_machine(tmp_path, {"agent-sync.yaml": config})
    machine.lock_and_sync()
    http_files.publish(name, b"other\n")
    told = machine.run("verify", expect=1).out
    assert "put its sha256 under `checksum:`" in told
    assert "locks what upstream has now" not in told
    machine.configure(url_config(url, f"sha256:{sha256('other' + chr(10))}"))
    machine.lock_and_sync()
    machine.run("verify")


def test_offline_upstream_cannot_be_asked_whatever_the_store_has(tmp_path: Path, http_files: FileServer) -> None:
    url = http_files.publish(f"{tmp_path.name}/p.md", b"policy\n")
    config = url_config(url, f"sha256:{sha256('policy' + chr(10))}")
    machine = a_machine(tmp_path, {"agent-sync.yaml": config})
    machine.lock_and_sync()
    assert "--offline forbids connecting to upstream" in machine.run("verify", "--offline", expect=9).err
    machine.run("update", "--offline", "--yes")


def test_a_script_that_is_not_the_first_word_is_told_where_it_belongs(tmp_path: Path) -> None:
    transform = "transforms:\n  - {source: rules, type: custom, command: "
    machine = a_local_machine(tmp_path, transform + "python3 ./scripts/x.py}\n")
    script = "#!/usr/bin/env python3\nopen(__import__('os').environ['AGENT_SYNC_OUTPUT'] + '/x.md', 'w').write('x')\n"
    machine.put("scripts/x.py", script, executable=True)
    ran = machine.run("update", "--yes", expect=11)
    assert '"./scripts/x.py" is looked up among' in ran.err
    machine.configure(LOCAL + transform + "./scripts/x.py}\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/x.md": "x"}


def test_without_a_home_a_clean_check_needs_none_and_the_rest_says_what_to_set(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    homeless = {"HOME": "", "USERPROFILE": ""}
    machine.run("check", environment=homeless)
    machine.run("status", environment=homeless)
    machine.put("rules/a.md", "new\n")
    assert "AGENT_SYNC_CACHE" in machine.run("update", "--yes", expect=2, environment=homeless).err
    machine.run("update", "--yes", environment={**homeless, "AGENT_SYNC_CACHE": str(tmp_path / "store")})


@pytest.mark.parametrize("words", ["check", "status", "diff", "sync", "check --json", "--help"])
def test_closed_streams_end_no_command_badly(tmp_path: Path, words: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    program = f"{sys.executable} -m agent_sync {words} <&- >&- 2>&-"
    ended = subprocess.run(["/bin/sh", "-c", program], cwd=machine.project, check=False, timeout=60)
    assert ended.returncode == 0


def test_a_configuration_with_the_other_ending_is_found_even_where_a_lock_is(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    (machine.project / "agent-sync.yaml").rename(machine.project / "agent-sync.yml")
    assert "found agent-sync.yml: rename it to agent-sync.yaml" in machine.run("sync", expect=3).err


def test_the_reference_that_push_prints_has_no_way_back_in_its_path(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    printed = machine.run("push", "oci:rules/../bundles", "--name", "acme/agents").out
    assert f"\noci:{machine.project}/bundles:latest@sha256:" in printed
    (machine.project / "link").symlink_to(tmp_path)
    printed = machine.run("push", "oci:link/../elsewhere", "--name", "acme/agents").out
    assert f"\noci:{machine.project}/link/../elsewhere:latest@sha256:" in printed


def test_prune_that_leaves_edited_files_does_not_say_that_none_are_left(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    machine.put(".cursor/rules/a.md", "mine\n")
    machine.configure("version: 1\n")
    machine.run("update", "--yes")
    machine.run("prune")
    assert machine.run("prune").out.endswith("no files deleted\n")
