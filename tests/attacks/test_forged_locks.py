"""Locks that say what is not true, of bytes that the store has: update believes none of it, check --deep finds it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, a_machine
from tests.builders.repositories import GitRepository, Symlink, a_git_repository
from tests.real.https_files import FileServer
from tests.spec.test_lock_content import git_config, sha256, url_config


def honest(machine: CommandMachine) -> str:
    """The lock as it should be; all that it names is in the store."""
    machine.run("update", "--yes")
    return machine.lock_bytes.decode()


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return a_git_repository(tmp_path / "rules", {"core/a.md": "a\n", "core/link.md": Symlink("a.md"), "b.md": "b\n"})


@pytest.fixture(params=["", "    paths: [core/]\n"], ids=["whole", "paths"])
def machine(tmp_path: Path, repository: GitRepository, request: pytest.FixtureRequest) -> CommandMachine:
    config = git_config(str(repository.path), more=request.param)
    return a_machine(tmp_path, {"agent-sync.yaml": config})


def without(key: str, lock: str) -> str:
    return re.sub(rf" *{key}: .*\n", "", lock)


FORGERIES: dict[str, Callable[[str], str]] = {
    "another narHash": lambda lock: re.sub("narHash: sha256-....", "narHash: sha256-AAAA", lock),
    "no narHash": lambda lock: without("narHash", lock),
    "another size": lambda lock: re.sub(r"(size: )\d+", r"\g<1>1024", lock),
    "another tree": lambda lock: re.sub("(tree: ).*", rf'\g<1>"{"1" * 40}"', lock),
    "another file": lambda lock: lock.replace(sha256("a\n"), sha256("b\n")),
    "another name": lambda lock: lock.replace("core/a.md:", "core/aa.md:"),
    "may be run": lambda lock: lock.replace(sha256("a\n"), f"{sha256('a' + chr(10))}\n          executable: true"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_an_update_puts_right_what_is_not_true_of_the_stored_bytes(machine: CommandMachine, forgery: str) -> None:
    lock = honest(machine)
    machine.put("agent-sync.lock", FORGERIES[forgery](lock))
    assert machine.lock_bytes.decode() != lock
    machine.run("update", "--yes")
    orphans = machine.lock_bytes.decode().find("orphans:\n  .cursor/rules/core/aa.md:")  # it was locked, so it is told
    assert machine.lock_bytes.decode()[: None if orphans < 0 else orphans] == lock


def test_an_update_puts_right_the_bytes_of_an_older_commit_under_the_name_of_a_newer_one(
    machine: CommandMachine, repository: GitRepository
) -> None:
    old = honest(machine)
    first = repository.resolve("main")
    repository.commit({"core/a.md": "safe\n"})
    new = honest(machine)
    machine.put("agent-sync.lock", re.sub(first, repository.resolve("main"), old))
    assert machine.run("update", "--dry-run", "--json").out.count('"changes": true') == 1
    machine.run("update", "--yes")
    assert machine.lock_bytes.decode() == new


def test_what_is_true_is_not_fetched_again(machine: CommandMachine) -> None:
    lock = honest(machine)
    stored = sorted((machine.home / ".cache").rglob("blobs/sha256/*"))
    before = [path.stat().st_ino for path in stored]
    assert "up to date" in machine.run("update", "--yes").out
    assert [path.stat().st_ino for path in stored] == before
    assert machine.lock_bytes.decode() == lock


def test_a_corrupt_blob_is_set_aside_by_an_update_and_made_again(machine: CommandMachine) -> None:
    lock = honest(machine)
    blob = stored_blob(machine, machine.locked("rules")["resolved"]["blob"])
    content = blob.read_bytes()
    damage(blob, content[:600] + b"X" + content[601:])
    ran = machine.run("update", "--yes")
    assert "blob-set-aside" in ran.err
    assert blob.read_bytes() == content
    assert machine.lock_bytes.decode() == lock


def stored_blob(machine: CommandMachine, digest: str) -> Path:
    return machine.home / ".cache/agent-sync/store/blobs/sha256" / digest.removeprefix("sha256:")


def damage(blob: Path, content: bytes) -> None:
    blob.chmod(0o644)
    blob.write_bytes(content)


TEMPLATE = "variables: {{who: {who}}}\ntransforms:\n  - {{source: rules, type: template}}\n"


@pytest.mark.parametrize("part", ["transformed", "rendered"])
def test_an_update_believes_no_result_that_a_lock_puts_under_another_recipe(tmp_path: Path, part: str) -> None:
    overrides = "overrides:\n  - {target: t.md, strategy: append, file: more.md}\n"
    more = TEMPLATE.format(who="eve") if part == "transformed" else overrides
    machine = a_local_machine(tmp_path, more, t_md="{{ .who }}\n" if part == "transformed" else "t\n")
    machine.put("more.md", "eve\n")
    forged = honest(machine)
    machine.configure(machine.read("agent-sync.yaml").replace("eve", "bob"))
    machine.put("more.md", "bob\n")
    lock = honest(machine)
    assert recipes(lock) != recipes(forged)
    for old, new in zip(recipes(forged), recipes(lock), strict=True):
        forged = forged.replace(old, new)
    machine.put("agent-sync.lock", forged)
    machine.run("update", "--yes")
    assert machine.lock_bytes.decode() == lock


def recipes(lock: str) -> list[str]:
    return re.findall("recipe: (.*)", lock)


def test_a_deep_check_compares_only_what_a_lock_says(machine: CommandMachine) -> None:
    lock = honest(machine)
    machine.run("sync")
    machine.put("agent-sync.lock", without("narHash", without("size", lock)))
    ran = machine.run("check", "--deep")
    assert "None" not in ran.said
    machine.put("agent-sync.lock", FORGERIES["another narHash"](lock))
    assert "narHash" in machine.run("check", "--deep", expect=4).err


@pytest.fixture
def url_machine(tmp_path: Path, http_files: FileServer) -> CommandMachine:
    url = http_files.publish(f"{tmp_path.name}/p.md", b"policy\n")
    machine = a_machine(tmp_path, {"agent-sync.yaml": url_config(url, f"sha256:{sha256(b'policy' + bytes([10]))}")})
    machine.lock_and_sync()
    return machine


def test_a_deep_check_reads_the_files_of_urls_as_well(url_machine: CommandMachine) -> None:
    lock = url_machine.lock_bytes.decode()
    url_machine.run("check", "--deep")
    url_machine.put("agent-sync.lock", FORGERIES["another size"](lock))
    assert "length" in url_machine.run("check", "--deep", expect=4).err
    url_machine.put("agent-sync.lock", lock)
    damage(stored_blob(url_machine, url_machine.locked("policy")["resolved"]["sha256"]), b"evil!!\n")
    assert "cache verify" in url_machine.run("check", "--deep", expect=5).err


@pytest.mark.parametrize("content", [b"evil!!\n", b"pol"], ids=["changed", "cut"])
def test_a_damaged_file_of_a_url_is_never_locked(url_machine: CommandMachine, content: bytes) -> None:
    lock = url_machine.lock_bytes.decode()
    (url_machine.project / "agent-sync.lock").unlink()
    blob = stored_blob(url_machine, sha256("policy\n"))
    damage(blob, content)
    url_machine.run("update", "--yes")
    assert url_machine.lock_bytes.decode() == lock
    assert blob.read_bytes() == b"policy\n"


@pytest.mark.parametrize("blobs", ["lost", "not named"])
def test_a_deep_check_says_what_it_could_not_look_at(machine: CommandMachine, blobs: str) -> None:
    lock = honest(machine)
    machine.run("sync")
    if blobs == "lost":
        stored_blob(machine, machine.locked("rules")["resolved"]["blob"]).unlink()
    else:
        machine.put("agent-sync.lock", without("blob", lock))
    ran = machine.run("check", "--deep")
    assert "warning[unverified]: source rules" in ran.err
    assert "agent-sync update" in ran.err
    assert "1 not verified" in ran.out
    document = json.loads(machine.run("check", "--deep", "--strict", "--json", expect=9).out)
    assert (document["clean"], document["unverified"]) == (True, ["source rules"])
    machine.run("check", "--strict")
    machine.run("update", "--yes")
    assert machine.lock_bytes.decode() == lock
    machine.run("check", "--deep", "--strict")


def test_drift_counts_before_what_could_not_be_verified(machine: CommandMachine) -> None:
    honest(machine)
    machine.run("sync")
    stored_blob(machine, machine.locked("rules")["resolved"]["blob"]).unlink()
    machine.put(".cursor/rules/core/a.md", "edited\n")
    machine.run("check", "--deep", "--strict", expect=1)
