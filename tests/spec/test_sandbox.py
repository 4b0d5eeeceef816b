"""Spec §8: the sandbox, safe writes, the cache and limits (R051 - R059, R063 - R068)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine, snapshot
from tests.builders.repositories import a_git_repository
from tests.real.answers import endless
from tests.real.https_files import FileServer
from tests.spec.test_lock_content import sha256, url_config


def store_of(machine: CommandMachine) -> Path:
    return machine.home / ".cache/agent-sync/store/blobs/sha256"


def locked(tmp_path: Path) -> tuple[CommandMachine, Path]:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.md").write_text("not yours\n")
    return machine, outside


@pytest.mark.parametrize("link", [".cursor", ".cursor/rules"])
def test_r051_r052_r056_r058_no_parent_may_be_a_link(tmp_path: Path, link: str) -> None:
    machine, outside = locked(tmp_path)
    place = machine.project / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside)
    before = snapshot(outside)
    for words in (["sync"], ["sync", "--dry-run"]):
        assert ".cursor" in machine.run(*words, expect=7).err
    assert link in machine.run("check", expect=1).err
    assert snapshot(outside) == before


def test_r053_a_directory_swapped_for_a_link_while_we_write_leads_nowhere(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", **{f"f{number}_md": f"{number}\n" for number in range(60)})
    machine.run("update", "--yes")
    outside = tmp_path / "outside"
    outside.mkdir()
    (machine.project / ".cursor").mkdir()
    rules, aside, stop = machine.project / ".cursor/rules", machine.project / ".cursor/aside", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            try:
                os.rename(rules, aside)
                os.symlink(outside, rules)
                time.sleep(0.0005)
                os.unlink(rules)
                os.rename(aside, rules)
            except OSError:
                if rules.is_symlink():
                    rules.unlink()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(6):
            machine.run("sync", expect=None)
    finally:
        stop.set()
        thread.join()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("key", ["../../x", "a/../../x", "/etc/x"])
def test_r054_a_lock_key_that_climbs_out_is_refused(tmp_path: Path, key: str) -> None:
    machine, _ = locked(tmp_path)
    machine.put("agent-sync.lock", machine.lock_bytes.decode().replace("        a.md:\n", f'        "{key}":\n'))
    assert machine.run("sync", expect=7).err
    assert machine.outputs() == {}
    assert not (tmp_path / "x").exists()


def test_r055_targets_change_by_rename_and_no_temporary_file_stays(tmp_path: Path) -> None:
    machine, _ = locked(tmp_path)
    machine.run("sync")
    held = (machine.project / ".cursor/rules/a.md").open()
    machine.put("rules/a.md", "new\n")
    machine.lock_and_sync()
    assert held.read() == "a\n"
    held.close()
    assert os.listdir(machine.project / ".cursor/rules") == ["a.md"]


def test_r057_a_target_that_is_a_link_is_refused(tmp_path: Path) -> None:
    machine, outside = locked(tmp_path)
    (machine.project / ".cursor/rules").mkdir(parents=True)
    (machine.project / ".cursor/rules/a.md").symlink_to(outside / "a.md")
    machine.run("sync", expect=7)
    assert (outside / "a.md").read_text() == "not yours\n"


def invalidate(machine: CommandMachine) -> None:
    """One byte of every file's body in the store is another one."""
    for blob in store_of(machine).iterdir():
        content = blob.read_bytes()
        blob.chmod(0o644)
        blob.write_bytes(content.replace(b"a\n", b"A\n"))


def test_r059_corrupt_bytes_are_fetched_again(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a\n"})
    config = f"version: 1\nsources:\n  - {{name: rules, type: git, repo: {repository.path}, ref: main}}\n"
    machine = a_machine(tmp_path, {"agent-sync.yaml": config + "targets:\n  - {source: rules, tools: [cursor]}\n"})
    machine.run("update", "--yes")
    invalidate(machine)
    machine.run("sync")
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}


def test_r063_an_objects_name_is_the_hash_of_its_bytes(tmp_path: Path) -> None:
    machine, _ = locked(tmp_path)
    blobs = list(store_of(machine).iterdir())
    assert blobs
    for blob in blobs:
        assert blob.name == hashlib.sha256(blob.read_bytes()).hexdigest()


def test_r064_an_object_is_never_written_again(tmp_path: Path) -> None:
    machine, _ = locked(tmp_path)
    before = {blob.name: (blob.stat().st_ino, blob.stat().st_mtime_ns) for blob in store_of(machine).iterdir()}
    machine.run("update", "--yes")
    machine.run("sync")
    after = {blob.name: (blob.stat().st_ino, blob.stat().st_mtime_ns) for blob in store_of(machine).iterdir()}
    assert {name: after[name] for name in before} == before


def test_r065_a_corrupt_object_without_upstream_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    machine, _ = locked(tmp_path)
    invalidate(machine)
    for path in (machine.project / "rules").iterdir():
        path.unlink()
    (machine.project / "rules").rmdir()
    ran = machine.run("sync", expect=None)
    assert ran.code in (5, 9)
    assert machine.outputs() == {}


def limited(tmp_path: Path, limits: str) -> CommandMachine:
    return a_local_machine(tmp_path, f"limits: {{{limits}}}\n", a_md="a" * 2000, b_md="b" * 2000)


@pytest.mark.parametrize("limits", ["max_file_size: 1KB", "max_source_size: 3KB", "max_files: 1"])
def test_r066_r067_too_large_and_too_many_are_refused(tmp_path: Path, limits: str) -> None:
    ran = limited(tmp_path, limits).run("update", "--yes", expect=13)
    assert limits.partition(":")[0] in ran.err


def test_r066_r067_the_same_holds_for_git_and_urls(tmp_path: Path, http_files: FileServer) -> None:
    repository = a_git_repository(tmp_path / "rules", {"a.md": "a" * 2000})
    config = f"version: 1\nsources:\n  - {{name: rules, type: git, repo: {repository.path}, ref: main}}\n"
    config += "limits: {max_file_size: 1KB}\n"
    a_machine(tmp_path, {"agent-sync.yaml": config}).run("update", "--yes", expect=13)
    url = http_files.publish("r066/large.md", b"x" * 2000)
    web = tmp_path / "web"
    web.mkdir()
    config = url_config(url, f"sha256:{sha256(b'x' * 2000)}") + "limits: {max_file_size: 1KB}\n"
    a_machine(web, {"agent-sync.yaml": config}).run("update", "--yes", expect=13)


def test_r068_a_server_that_hangs_is_given_up(tmp_path: Path, http_files: FileServer) -> None:
    url = http_files.publish("r068/slow.md", endless())
    config = (
        url_config(url, f"sha256:{sha256('x')}")
        + "limits: {fetch_timeout: 1s, max_file_size: 100GB, max_source_size: 100GB}\n"
    )
    started = time.monotonic()
    ran = a_machine(tmp_path, {"agent-sync.yaml": config}).run("update", "--yes", expect=13)
    assert "fetch_timeout" in ran.err
    assert time.monotonic() - started < 30
