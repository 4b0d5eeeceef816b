"""Spec §10, §12, §13: the library, registries, errors (R099 - R103, R105 - R110)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sync import AgentSyncError, Cancellation, Project, open_project
from agent_sync.errors import Cancelled, DigestMismatch, LockMissing
from tests.builders.command_line import LOCAL, CommandMachine, a_local_machine, a_machine
from tests.builders.projects import a_local_project
from tests.spec.test_sandbox import invalidate


def opened(machine: CommandMachine) -> Project:
    return open_project(str(machine.project), environment={"HOME": str(machine.home), "PATH": os.environ["PATH"]})


def test_r099_the_library_does_what_the_command_line_does(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    project = opened(machine)
    assert project.update().written
    assert [action.path for action in project.sync().written] == [".cursor/rules/a.md"]
    assert project.check().clean
    machine.run("check")


def test_r100_the_library_does_not_load_the_command_line() -> None:
    probe = (
        "import sys, agent_sync; agent_sync.open_project; "
        "print([m for m in sys.modules if m.startswith('agent_sync.cli') or m == 'typer'])"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_r101_a_caller_can_cancel_and_limit_the_time(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    project = opened(machine)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        project.within(cancellation=cancellation).update()
    with pytest.raises(Cancelled):
        project.within(timeout_s=-1.0).update()
    assert not machine.exists("agent-sync.lock")
    project.within(timeout_s=60.0).update()


def test_r102_errors_have_a_subject_a_check_and_a_remedy(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    project = opened(machine)
    with pytest.raises(LockMissing) as missing:
        project.sync()
    assert isinstance(missing.value, AgentSyncError)
    assert (missing.value.subject, missing.value.check) == ("agent-sync.lock", "not found")
    assert missing.value.remedy == "create it: agent-sync update"


def test_r103_the_engine_runs_on_nothing_but_its_ports() -> None:
    project = a_local_project()
    project.project().update()
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "a\n"}


def test_r105_nothing_needs_a_registry(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    unreachable = {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    for words in (["update", "--yes"], ["sync"], ["check"], ["verify"], ["status"], ["prune"], ["info"], ["migrate"]):
        machine.run(*words, environment=unreachable)


def test_r106_a_hash_mismatch_of_source_lock_and_transform_is_fatal(tmp_path: Path) -> None:
    machine = a_local_machine(
        tmp_path, "transforms:\n  - {source: rules, type: template}\nvariables: {v: 1}\n", a_md="a\n{{ .v }}\n"
    )
    machine.run("update", "--yes")
    good = machine.lock_bytes.decode()
    [source] = [file["sha256"] for file in machine.locked("rules")["resolved"]["files"].values()]
    machine.put("agent-sync.lock", good.replace(source, "0" * 64))
    machine.run("sync", expect=4)
    [made] = [file["sha256"] for file in machine.locked("rules")["transformed"]["files"].values()]
    machine.put("agent-sync.lock", good.replace(made, "1" * 64))
    assert machine.run("sync", expect=None).code in (4, 5)
    cold = machine.another("cold")
    assert cold.run("sync", expect=None).code in (4, 5)
    machine.put("agent-sync.lock", good)
    invalidate(machine)
    for path in (machine.project / "rules").iterdir():
        path.unlink()
    (machine.project / "rules").rmdir()
    assert machine.run("sync", expect=None).code in (5, 9)
    assert machine.outputs() == cold.outputs() == {}


def test_r107_leaving_the_project_and_a_broken_source_are_fatal(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    (machine.project / "rules/link.md").symlink_to("/etc/hostname")
    ran = machine.run("update", "--yes", expect=7)
    assert "link.md" in ran.err


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x01garbage",
        b"- a list\n",
        b"version: 1\nsources: 7\n",
        b"version: 7\n",
        b"version: 1\n<<<<<<< ours\n",
        b"",
    ],
)
def test_r108_a_corrupt_lock_is_fatal(tmp_path: Path, content: bytes) -> None:
    machine = a_local_machine(tmp_path)
    machine.put("agent-sync.lock", content)
    for words in (["sync"], ["check"], ["update", "--yes"]):
        machine.run(*words, expect=4)
    assert machine.lock_bytes == content


def test_r109_nothing_is_passed_over_in_silence(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("sync", expect=4)
    machine.run("update", "--yes")
    more = "  - {name: more, type: local, path: ./more/}\ntargets:"
    machine.put("more/m.md", "m\n")
    machine.configure(LOCAL.replace("targets:", more))
    assert "more" in machine.run("sync", expect=4).err
    machine.configure(LOCAL.replace("path: ./rules/", "path: ./nothing/"))
    assert "nothing" in machine.run("update", "--yes", expect=3).err


def test_r109_a_path_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    from tests.builders.repositories import a_git_repository

    repository = a_git_repository(tmp_path / "git", {"a.md": "a\n"})
    config = (
        f"version: 1\nsources:\n  - {{name: rules, type: git, repo: {repository.path}, ref: main, paths: [none/]}}\n"
    )
    machine = a_machine(tmp_path, {"agent-sync.yaml": config})
    assert "none/" in machine.run("update", "--yes", expect=None).err
    assert not machine.exists("agent-sync.lock")


def test_r109_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    (tmp_path / "file").write_text("in the way")
    ran = machine.run("update", "--yes", expect=None, environment={"AGENT_SYNC_CACHE": str(tmp_path / "file")})
    assert ran.code in (7, 17)
    assert not machine.exists("agent-sync.lock")


def test_r110_an_error_names_what_why_and_what_to_do(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    ran = machine.run("sync", expect=4)
    assert "error[lock-missing]" in ran.err
    assert "agent-sync.lock" in ran.err
    assert "help: " in ran.err
    assert DigestMismatch.rule == "content-mismatch"
