"""Spec §9.1: sync, its dry run and its roll-back (R019, R062, R069 - R079)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, a_local_machine, a_machine
from tests.builders.repositories import a_git_repository

GIT = "version: 1\nsources:\n  - {{name: rules, type: git, repo: {repo}, ref: main}}\n"
GIT += "targets:\n  - {{source: rules, tools: [cursor]}}\n"


def test_r019_the_same_lock_gives_the_same_files_everywhere_though_upstream_moved(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a\n", "b/c.md": "c\n"})
    machine = a_machine(tmp_path, {"agent-sync.yaml": GIT.format(repo=repository.path)})
    machine.lock_and_sync()
    repository.commit({"a.md": "moved\n"})
    other = machine.another("other")
    other.run("sync")
    assert other.outputs() == machine.outputs()


def test_r062_everything_is_verified_before_the_first_file_is_written(tmp_path: Path) -> None:
    config = (
        "version: 1\nsources:\n  - {name: good, type: local, path: ./good/}\n"
        "  - {name: spoilt, type: local, path: ./spoilt/}\n"
        "targets:\n  - {source: good, destination: .good/}\n  - {source: spoilt, destination: .spoilt/}\n"
    )
    machine = a_machine(tmp_path, {"agent-sync.yaml": config, "good/g.md": "g\n", "spoilt/s.md": "s\n"})
    machine.run("update", "--yes")
    shutil.rmtree(machine.project / "spoilt")
    for blob in (machine.home / ".cache/agent-sync/store/blobs/sha256").iterdir():
        if b"s\n" in (content := blob.read_bytes()):
            blob.chmod(0o644)
            blob.write_bytes(content.replace(b"s\n", b"X\n"))
    ran = machine.run("sync", expect=None)
    assert ran.code in (5, 9)
    assert "spoilt" in ran.err
    assert machine.outputs() == {}


def test_r069_r024_the_lock_is_the_source_of_truth(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "old\n"})
    machine = a_machine(tmp_path, {"agent-sync.yaml": GIT.format(repo=repository.path)})
    machine.lock_and_sync()
    repository.commit({"a.md": "new\n"})
    shutil.rmtree(machine.project / ".cursor")
    machine.run("sync")
    assert machine.outputs() == {".cursor/rules/a.md": "old\n"}


def test_r070_a_warm_store_needs_no_upstream(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a\n"})
    machine = a_machine(tmp_path, {"agent-sync.yaml": GIT.format(repo=repository.path)})
    machine.run("update", "--yes")
    shutil.rmtree(repository.path)
    machine.run("sync")
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}
    cold = machine.another("cold")
    assert "rules" in cold.run("sync", "--offline", expect=9).err


def test_r071_sync_never_touches_the_lock_not_even_when_it_fails(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    lock = machine.project / "agent-sync.lock"
    os.utime(lock, ns=(10**18, 10**18))
    before = lock.read_bytes(), lock.stat()
    machine.run("sync")
    machine.put("rules/a.md", "changed\n")
    machine.run("sync", expect=4)
    machine.run("sync", "--prune", expect=4)
    after = lock.read_bytes(), lock.stat()
    assert (after[0], after[1].st_mtime_ns, after[1].st_ino) == (before[0], before[1].st_mtime_ns, before[1].st_ino)


def test_r072_r073_r074_a_dry_run_shows_each_class_with_its_diff_and_changes_nothing(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", a_md="a\n", b_md="b\n")
    machine.lock_and_sync()
    machine.put(".cursor/rules/a.md", "edited\n")
    (machine.project / ".cursor/rules/b.md").unlink()
    machine.put("rules/c.md", "c\n")
    (machine.project / "rules/b.md").rename(machine.project / "rules/d.md")
    machine.run("update", "--yes")
    machine.put(".cursor/rules/b.md", "b\n")
    before = machine.tree()
    shown = machine.run("sync", "--prune", "--dry-run").out
    for path in ("a.md", "b.md", "c.md", "d.md"):
        assert f".cursor/rules/{path}" in shown
    assert "-edited\n+a\n" in shown
    assert "+c\n" in shown
    assert "-b\n" in shown
    assert machine.tree() == before


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("overrides:\n  - {target: none.md, strategy: append, file: rules/a.md}\n", 11),
        ("  - {source: rules, destination: ../x}\n", 7),
        ("  - {source: rules, tools: [nope]}\n", 3),
        ("", 0),
    ],
)
def test_r075_a_dry_run_ends_as_the_real_one_does(tmp_path: Path, config: str, code: int) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    machine.configure(LOCAL + config)
    assert machine.run("sync", "--dry-run", expect=None).code == code
    assert machine.run("sync", expect=None).code == code


def test_r076_r077_r078_a_failure_midway_leaves_everything_as_it_was_and_names_file_and_source(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", a_md="a\n", b_md="b\n", c_md="c\n")
    machine.lock_and_sync()
    for name in ("a", "b", "c"):
        machine.put(f"rules/{name}.md", f"new {name}\n")
    machine.run("update", "--yes")
    (machine.project / ".cursor/rules/b.md").unlink()
    machine.put(".cursor/rules/b.md/in-the-way", "x")
    before = machine.tree()
    ran = machine.run("sync", expect=17)
    assert ".cursor/rules/b.md" in ran.err
    assert "source rules" in ran.err
    assert machine.tree() == before


def test_r079_a_kill_in_the_middle_is_undone_by_the_next_run(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", **{f"f{number}_md": f"old {number}\n" for number in range(40)})
    machine.lock_and_sync()
    old = machine.outputs()
    for number in range(40):
        machine.put(f"rules/f{number}.md", f"new {number}\n")
    machine.run("update", "--yes")
    command = [
        "strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=renameat,renameat2,rename",
        "-e", "inject=renameat,renameat2,rename:signal=KILL:when=25", sys.executable, "-m", "agent_sync", "sync",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(machine.home)}
    ended = subprocess.run(command, cwd=machine.project, env=environment, check=False, capture_output=True)
    assert ended.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    machine.run("recover")
    assert machine.outputs() == old
    machine.run("sync")
    assert machine.outputs() == {path: text.replace("old", "new") for path, text in old.items()}
    machine.run("check", "--strict")
