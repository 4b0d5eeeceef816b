"""Spec §9.2: update (R020, R080 - R086, X10)."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.repositories import GitRepository, a_git_repository

CONFIG = """\
version: 1
sources:
  - {{name: first, type: git, repo: {repo}, ref: main}}
  - {{name: second, type: local, path: ./second/}}
targets:
  - {{source: first, destination: .first/}}
  - {{source: second, destination: .second/}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return a_git_repository(tmp_path / "rules", {"a.md": "a\n"})


@pytest.fixture
def machine(tmp_path: Path, repository: GitRepository) -> CommandMachine:
    return a_machine(tmp_path, {"agent-sync.yaml": CONFIG.format(repo=repository.path), "second/b.md": "b\n"})


def entry(name: str, machine: CommandMachine) -> str:
    text = machine.lock_bytes.decode()
    start = text.index(f"  - name: {name}\n")
    return text[start : text.index("    status: ok\n", start)]


def at_a_terminal(machine: CommandMachine, answer: bytes, *words: str) -> tuple[int, str]:
    """The program run at a terminal, where `answer` is typed once it asks; its exit code and what it showed."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(machine.home)}
    program = [sys.executable, "-m", "agent_sync", *words]
    with subprocess.Popen(
        program, cwd=machine.project, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        shown, deadline = b"", time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.2)[0]:
                if run.poll() is not None:
                    break
                continue
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
            if b"[y/N]" in shown and answer:
                os.write(ours, answer)
                answer = b""
        code = run.wait(60)
    os.close(ours)
    return code, shown.decode()


def test_r020_an_update_of_one_source_leaves_the_others_text(
    machine: CommandMachine, repository: GitRepository
) -> None:
    machine.run("update", "--yes")
    before = entry("second", machine)
    repository.commit({"a.md": "new\n"})
    machine.put("second/b.md", "changed\n")
    machine.run("update", "first", "--yes")
    assert entry("second", machine) == before
    assert machine.locked("first")["resolved"]["commit"] == repository.resolve("main")


def test_r020_an_update_of_one_source_leaves_what_is_declared_no_more(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    before = entry("first", machine)
    config = machine.read("agent-sync.yaml")
    machine.configure(re.sub(".*first.*\n", "", config))
    machine.run("update", "second", "--yes")
    assert entry("first", machine) == before
    assert "no longer declared" in machine.run("sync", "--locked", expect=4).err
    machine.run("sync")
    machine.run("prune")
    assert [source["name"] for source in machine.lock["sources"]] == ["second"]
    assert machine.outputs() == {".second/b.md": "b\n"}
    machine.run("sync", "--locked")
    machine.run("check", "--strict")


def test_r020_a_source_that_got_another_name_is_updated_by_that(machine: CommandMachine) -> None:
    machine.lock_and_sync()
    machine.configure(machine.read("agent-sync.yaml").replace("second,", "renamed,"))
    machine.run("update", "renamed", "--yes")
    assert [source["name"] for source in machine.lock["sources"]] == ["first", "renamed", "second"]
    assert {each["source"] for each in machine.lock["outputs"]} == {"first", "renamed"}
    machine.run("sync")
    machine.run("update", "--yes")
    assert [source["name"] for source in machine.lock["sources"]] == ["first", "renamed"]


def test_r080_update_shows_what_changes_from_what_to_what(machine: CommandMachine, repository: GitRepository) -> None:
    machine.run("update", "--yes")
    old = repository.resolve("main")
    repository.commit({"a.md": "new\n"})
    shown = machine.run("update", "--dry-run").said
    assert old[:7] in shown
    assert repository.resolve("main")[:7] in shown
    machine.run("update", "--yes")
    assert "up to date" in machine.run("update", "--yes").said


@pytest.mark.parametrize(("answer", "code", "written"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\n", 1, False)])
def test_r081_at_a_terminal_update_asks(machine: CommandMachine, answer: bytes, code: int, *, written: bool) -> None:
    ended, shown = at_a_terminal(machine, answer, "update")
    assert "[y/N]" in shown
    assert ended == code
    assert machine.exists("agent-sync.lock") is written


def test_x10_r081_without_a_terminal_and_without_yes_nothing_is_written(machine: CommandMachine) -> None:
    before = machine.tree()
    assert "--yes" in machine.run("update", expect=2).err
    assert machine.tree() == before


def test_r082_a_dry_run_leaves_the_lock_as_it_is(machine: CommandMachine, repository: GitRepository) -> None:
    machine.run("update", "--dry-run")
    assert not machine.exists("agent-sync.lock")
    machine.run("update", "--yes")
    before = machine.lock_bytes
    repository.commit({"a.md": "new\n"})
    machine.run("update", "--dry-run")
    assert machine.lock_bytes == before


def test_r083_r084_r085_r086_what_succeeded_is_written_and_what_failed_stays_and_is_told(
    machine: CommandMachine, repository: GitRepository
) -> None:
    machine.run("update", "--yes")
    before = entry("first", machine)
    repository.git("branch", "-m", "main", "trunk")
    machine.put("second/b.md", "changed\n")
    ran = machine.run("update", "--yes", expect=14)
    assert entry("first", machine) == before
    assert "first" in ran.err
    assert "main" in ran.err
    assert machine.locked("second")["resolved"]["files"] != {}
    machine.run("sync")
    assert machine.outputs() == {".first/a.md": "a\n", ".second/b.md": "changed\n"}


def test_r086_if_all_fail_for_one_reason_its_code_is_given(machine: CommandMachine, repository: GitRepository) -> None:
    repository.git("branch", "-m", "main", "trunk")
    ran = machine.run("update", "first", "--yes", expect=3)
    assert "first" in ran.err
    assert not machine.exists("agent-sync.lock")


def test_the_document_tells_what_layers_add_apart_from_the_rest(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    nothing = {"sources": [], "outputs": {"added": [], "changed": [], "removed": []}}
    first = json.loads(machine.run("update", "--yes", "--json").out)
    assert first["inherited"] == nothing
    assert first["outputs"]["added"] == [".cursor/rules/a.md"]
    user = tmp_path / "user.yaml"
    user.write_text("version: 1\ntargets:\n  - {source: rules, tools: [cline]}\n")
    machine.put("rules/b.md", "b\n")
    with_layer = {"AGENT_SYNC_USER_CONFIG": str(user)}
    second = json.loads(machine.run("update", "--yes", "--json", environment=with_layer).out)
    assert second["outputs"]["added"] == [".cursor/rules/b.md"]
    assert second["inherited"]["outputs"]["added"] == [".cline/rules/a.md", ".cline/rules/b.md"]
    machine.put("rules/a.md", "changed\n")
    third = json.loads(machine.run("update", "--yes", "--json", environment=with_layer).out)
    assert third["inherited"]["outputs"]["changed"] == [".cline/rules/a.md"]
