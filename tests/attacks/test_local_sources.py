"""Local sources as somebody else left them: what is not a plain file inside is never read, hashed or packed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.builders.command_line import LOCAL, CommandMachine, a_local_machine

SECRET = "the secret of another user\n"


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    (tmp_path / "secret").write_text(SECRET)
    return a_local_machine(tmp_path)


def assert_refused(machine: CommandMachine, named: str) -> None:
    """The update is refused by the name of what is wrong, and the secret is nowhere."""
    ran = machine.run("update", "--yes", expect=7)
    assert named in ran.err
    assert SECRET.strip() not in ran.said
    assert not machine.exists("agent-sync.lock")
    for path in (*machine.home.rglob("*"), *machine.project.rglob("*")):
        if path.is_file() and not path.is_symlink():
            assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("target", ["../../secret", "{absolute}", "a.md", "nowhere", "link.md"])
def test_a_link_to_a_file_is_refused_wherever_it_leads(machine: CommandMachine, tmp_path: Path, target: str) -> None:
    (machine.project / "rules/link.md").symlink_to(target.format(absolute=tmp_path / "secret"))
    assert_refused(machine, "link.md")


def test_a_link_to_a_directory_is_refused(machine: CommandMachine, tmp_path: Path) -> None:
    (machine.project / "rules/more").symlink_to(tmp_path)
    assert_refused(machine, "more")


def test_a_source_that_is_itself_a_link_is_refused(machine: CommandMachine, tmp_path: Path) -> None:
    (machine.project / "rules").rename(machine.project / "moved")
    (machine.project / "rules").symlink_to(tmp_path)
    assert_refused(machine, "rules")


def test_a_fifo_never_blocks(machine: CommandMachine) -> None:
    os.mkfifo(machine.project / "rules/fifo.md")
    assert_refused(machine, "fifo.md")


def test_a_socket_is_refused(machine: CommandMachine) -> None:
    here = os.getcwd()
    os.chdir(machine.project / "rules")  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s.md")
            assert_refused(machine, "s.md")
    finally:
        os.chdir(here)


def test_a_repository_inside_is_refused_and_can_be_left_out(machine: CommandMachine) -> None:
    machine.put("rules/.git/config", "[core]\n\tfsmonitor = touch /tmp/agent-sync-was-here\n")
    assert_refused(machine, ".git")
    machine.configure(LOCAL.replace("path: ./rules/", "path: ./rules/\n    exclude: ['.git/']"))
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/a.md": "a\n"}


@pytest.mark.parametrize("path", ["../", "../secret", "/etc", "~/x"])
def test_a_path_outside_must_be_allowed_by_name(machine: CommandMachine, path: str) -> None:
    machine.configure(LOCAL.replace("./rules/", path))
    ran = machine.run("update", "--yes", expect=7)
    assert "outside_root" in ran.err or "root" in ran.err


def test_what_is_allowed_outside_is_read_and_still_no_link(machine: CommandMachine, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "s.md").write_text("shared\n")
    machine.configure(LOCAL.replace("path: ./rules/", "path: ../shared/\n    outside_root: true"))
    machine.lock_and_sync()
    assert machine.outputs() == {".cursor/rules/s.md": "shared\n"}
    (shared / "link.md").symlink_to(tmp_path / "secret")
    assert "link.md" in machine.run("update", "--yes", expect=7).err


def test_names_that_are_one_file_elsewhere_are_refused(machine: CommandMachine) -> None:
    machine.put("rules/A.md", "other\n")
    ran = machine.run("update", "--yes", expect=7)
    assert "A.md" in ran.err


def test_a_name_with_an_escape_sequence_is_shown_escaped(machine: CommandMachine) -> None:
    machine.put("rules/x\x1b[2J.md", "x\n")
    ran = machine.run("update", "--yes", expect=7)
    assert "\x1b" not in ran.said
    assert "\\x1b" in ran.err


def test_directories_nested_deeper_than_a_path_may_be_long_are_refused(machine: CommandMachine) -> None:
    here = os.getcwd()
    os.chdir(machine.project / "rules")
    try:
        for _ in range(600):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    ran = machine.run("update", "--yes", expect=7)
    assert "longer than 1024 characters" in ran.err
