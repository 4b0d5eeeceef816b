"""The cases X01 - X24 of the checklist: faults seen in tools of this kind. (X10, X14 - X16, X21, X25 stand with their
verbs.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, CommandMachine, a_local_machine, a_machine
from tests.builders.repositories import Content, Executable, Symlink, a_git_repository
from tests.real.https_files import FileServer
from tests.spec.test_lock_content import sha256, url_config


def a_git_machine(tmp_path: Path, files: dict[str, Content | None], more: str = "") -> CommandMachine:
    repository = a_git_repository(tmp_path / "rules", files)
    config = f"version: 1\nsources:\n  - name: rules\n    type: git\n    repo: {repository.path}\n    ref: main\n{more}"
    return a_machine(tmp_path, {"agent-sync.yaml": config + "targets:\n  - {source: rules, tools: [cursor]}\n"})


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../../etc/hostname"])
def test_x01_a_link_out_of_a_repository_never_brings_anything_in(tmp_path: Path, target: str) -> None:
    machine = a_git_machine(tmp_path, {"a.md": "a\n", "x.md": Symlink(target)})
    ran = machine.run("update", "--yes", expect=7)
    assert "x.md" in ran.err
    assert not machine.exists("agent-sync.lock")


def test_x02_a_link_inside_is_the_file_it_points_to(tmp_path: Path) -> None:
    machine = a_git_machine(tmp_path, {"security.md": "s\n", "docs/link.md": Symlink("../security.md")})
    machine.lock_and_sync()
    assert machine.outputs()[".cursor/rules/docs/link.md"] == "s\n"
    assert not (machine.project / ".cursor/rules/docs/link.md").is_symlink()


def test_x03_the_users_git_settings_change_no_byte(tmp_path: Path) -> None:
    attributes = "*.md filter=shout\n*.txt export-ignore\n"
    machine = a_git_machine(
        tmp_path, {"a.md": "a\nb\n", "b.txt": "b\n", ".gitattributes": attributes}, "    allow: [executable-config]\n"
    )
    machine.home.joinpath(".gitconfig").write_text(
        '[core]\n\tautocrlf = true\n\thooksPath = /tmp/hooks\n[filter "shout"]\n\tsmudge = tr a-z A-Z\n'
        '[url "file:///nowhere/"]\n\tinsteadOf = /\n'
    )
    machine.lock_and_sync()
    assert machine.outputs()[".cursor/rules/a.md"] == "a\nb\n"
    assert machine.outputs()[".cursor/rules/b.txt"] == "b\n"
    assert machine.locked("rules")["resolved"]["files"]["a.md"]["sha256"] == sha256("a\nb\n")


@pytest.mark.parametrize(
    "key", ["../../.git/config", "/abs", "a\\\\b", ".git/hooks/x", ".GIT/config", "git~1/x", "con.md"]
)
def test_x04_a_dangerous_key_in_the_lock_is_refused(tmp_path: Path, key: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    machine.put("agent-sync.lock", machine.lock_bytes.decode().replace("        a.md:\n", f'        "{key}":\n'))
    before = machine.tree()
    machine.run("sync", expect=7)
    assert machine.tree() == before


@pytest.mark.parametrize("digest", ["../../x", "zz" * 32, "abc"])
def test_x05_what_is_no_digest_is_refused_before_it_is_a_path(tmp_path: Path, digest: str) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    lock = machine.lock_bytes.decode()
    start = lock.index("sha256: ", lock.index("a.md:"))
    machine.put("agent-sync.lock", lock[:start] + f'sha256: "{digest}"' + lock[lock.index("\n", start) :])
    ran = machine.run("sync", expect=4)
    assert "a.md" in ran.err
    assert machine.outputs() == {}


def test_x06_a_target_that_links_to_a_file_of_the_project_is_left_alone(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.run("update", "--yes")
    machine.put("mine.md", "mine\n")
    (machine.project / ".cursor/rules").mkdir(parents=True)
    (machine.project / ".cursor/rules/a.md").symlink_to("../../mine.md")
    machine.run("sync", expect=7)
    assert machine.read("mine.md") == "mine\n"


def test_x07_a_file_where_a_directory_is_needed_is_rolled_back(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.put("rules/sub/b.md", "b\n")
    machine.run("update", "--yes")
    machine.put(".cursor/rules/sub", "a file\n")
    before = machine.tree()
    ran = machine.run("sync", expect=17)
    assert ".cursor/rules/sub" in ran.err
    assert machine.tree() == before


@pytest.mark.parametrize("verb", ["sync", "check"])
def test_x08_without_a_lock_or_an_entry_the_hint_is_update(tmp_path: Path, verb: str) -> None:
    machine = a_local_machine(tmp_path)
    assert "agent-sync update" in machine.run(verb, expect=4).err
    machine.lock_and_sync()
    machine.configure(LOCAL.replace("targets:", "  - {name: more, type: local, path: ./rules/}\ntargets:"))
    assert "agent-sync update more" in machine.run(verb, expect=4).err


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("repo", ("/rules\n", "/./rules\n")),
        ("ref", ("ref: main", "ref: HEAD")),
        ("paths", ("ref: main\n", "ref: main\n    paths: [a.md]\n")),
    ],
)
def test_x09_a_changed_declaration_is_reported_as_stale(tmp_path: Path, field: str, change: tuple[str, str]) -> None:
    machine = a_git_machine(tmp_path, {"a.md": "a\n"})
    machine.lock_and_sync()
    machine.configure(machine.read("agent-sync.yaml").replace(*change))
    ran = machine.run("sync", expect=4)
    assert f"`{field}`" in ran.err
    assert "agent-sync update rules" in ran.err


def test_x09_a_changed_checksum_is_stale(tmp_path: Path, http_files: FileServer) -> None:
    url = http_files.publish(f"{tmp_path.name}/p.md", b"p\n")
    machine = a_machine(tmp_path, {"agent-sync.yaml": url_config(url, f"sha256:{sha256(b'p' + bytes([10]))}")})
    machine.lock_and_sync()
    machine.configure(url_config(url, f"sha256:{'0' * 64}"))
    assert "`checksum`" in machine.run("sync", expect=4).err


def test_x11_a_binary_file_is_copied_byte_for_byte(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    content = bytes(range(256)) * 40
    machine.put("rules/logo.png", content)
    machine.lock_and_sync()
    assert (machine.project / ".cursor/rules/logo.png").read_bytes() == content


def test_x12_a_local_source_edited_after_the_lock_stops_sync_with_the_hint(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    machine.put("rules/a.md", "edited\n")
    ran = machine.run("sync", expect=4)
    assert "agent-sync update rules" in ran.err
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}


def test_x13_files_of_one_name_in_two_directories_keep_their_own_base(tmp_path: Path) -> None:
    machine = a_local_machine(
        tmp_path, "overrides:\n  - {target: a.md, strategy: append, file: ext.md}\n", a_md="one\n"
    )
    machine.put("rules/sub/a.md", "two\n")
    machine.put("ext.md", "ext\n")
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "one\next\n", ".cursor/rules/sub/a.md": "two\next\n"}


@pytest.mark.parametrize(
    ("address", "name"), [("p.md?raw=1#top", "p.md"), ("a%20b.md", "a b.md"), ("directory/", "directory")]
)
def test_x17_the_name_of_a_urls_file(tmp_path: Path, http_files: FileServer, address: str, name: str) -> None:
    served = address.partition("?")[0]
    base = http_files.publish(f"{tmp_path.name}/{served}", b"p\n").removesuffix(served)
    machine = a_machine(
        tmp_path, {"agent-sync.yaml": url_config(base + address, f"sha256:{sha256(b'p' + bytes([10]))}")}
    )
    machine.lock_and_sync()
    assert machine.outputs() == {f".cursor/rules/{name}": "p\n"}


def test_x18_a_checksum_in_capitals_is_the_same_checksum(tmp_path: Path, http_files: FileServer) -> None:
    url = http_files.publish(f"{tmp_path.name}/p.md", b"p\n")
    machine = a_machine(tmp_path, {"agent-sync.yaml": url_config(url, f"sha256:{sha256(b'p' + bytes([10])).upper()}")})
    machine.lock_and_sync()
    machine.run("check")
    assert machine.locked("policy")["checksum"] == f"sha256:{sha256(b'p' + bytes([10]))}"


def test_x19_x20_hidden_files_and_executable_bits_are_kept(tmp_path: Path) -> None:
    machine = a_git_machine(
        tmp_path, {".claude-plugin/plugin.json": "{}", "run.sh": Executable("#!/bin/sh\n"), "a.md": "a\n"}
    )
    machine.lock_and_sync()
    assert machine.read(".cursor/rules/.claude-plugin/plugin.json") == "{}"
    assert os.access(machine.project / ".cursor/rules/run.sh", os.X_OK)
    assert not os.access(machine.project / ".cursor/rules/a.md", os.X_OK)
    (machine.project / ".cursor/rules/run.sh").chmod(0o644)
    machine.run("check", expect=1)
    machine.run("sync")
    assert os.access(machine.project / ".cursor/rules/run.sh", os.X_OK)


def start(machine: CommandMachine, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent_sync", *words],
        cwd=machine.project,
        env={**os.environ, "HOME": str(machine.home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_x22_runs_at_the_same_time_wait_or_fail_clearly(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", **{f"f{number}_md": f"{number}\n" for number in range(50)})
    machine.run("update", "--yes")
    runs = [start(machine, *words) for words in (["sync"], ["update", "--yes"], ["sync"], ["sync"], ["check"])]
    ended = [(run.wait(60), run.communicate()[1]) for run in runs]
    assert {code for code, _ in ended} <= {0, 1, 12}, ended
    machine.run("sync")
    machine.run("check", "--strict", "--deep")


def test_x23_a_killed_sync_is_recovered_by_the_next_one(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path, "", **{f"f{number}_md": f"{number}\n" for number in range(300)})
    machine.run("update", "--yes")
    for delay_s in (0.3, 0.45, 0.6, 0.75, 0.9):
        run = start(machine, "sync")
        time.sleep(delay_s)
        run.send_signal(signal.SIGKILL)
        run.communicate()
    machine.run("sync")
    machine.run("check", "--strict")
    assert len(os.listdir(machine.project / ".cursor/rules")) == 300


FOREIGN = """\
sources:
    - resolved:
          path: ./rules/
          files:
              rules/a.md:
                  sha256: {digest}
      type: local
      name: rules
      status: ok
version: 1
"""


def test_x24_a_lock_of_another_implementation_loads_and_works(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.put("agent-sync.lock", FOREIGN.format(digest=f'"{sha256(b"a" + bytes([10]))}"'))
    machine.run("sync")
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}
    machine.run("check", "--strict")
    machine.run("status")
    machine.run("update", "--yes")
    machine.run("check", "--strict")
    assert machine.locked("rules")["resolved"]["files"] == {"a.md": {"sha256": sha256(b"a" + bytes([10]))}}


def test_x24_the_lock_that_the_specification_shows_loads(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    spec = FOREIGN.format(digest="789ghi...")
    machine.put("agent-sync.lock", spec)
    assert "789ghi..." in machine.run("sync", expect=4).err
    machine.run("update", "--yes")
    machine.run("sync")
