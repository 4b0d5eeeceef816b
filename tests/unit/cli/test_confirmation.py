"""update asks before it writes, and only somebody who can see the question (spec §9.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine
from tests.builders.screens import Told, inside

QUESTION = "Write agent-sync.lock? [y/N] "
SHOWN = "rules  new: (1 file)  +1"


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    return a_local_machine(tmp_path)


def asked(machine: CommandMachine, typed: str, *words: str) -> Told:
    return inside(machine, at_terminal=True, typed=typed, NO_COLOR="1").run("update", *words)


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n", " y \n"])
def test_yes_writes_the_lock(machine: CommandMachine, answer: str) -> None:
    told = asked(machine, answer)
    assert told.code == 0
    assert SHOWN in told.out
    assert told.err == QUESTION
    assert told.out.endswith("wrote agent-sync.lock\n")
    assert machine.exists("agent-sync.lock")


@pytest.mark.parametrize("answer", ["n\n", "\n", "what\n", "ye\n", "yn\n", ""])
def test_everything_else_declines_with_1_and_changes_nothing(machine: CommandMachine, answer: str) -> None:
    told = asked(machine, answer)
    assert told.code == 1
    assert told.out.endswith("declined: nothing was written\n")
    assert not machine.exists("agent-sync.lock")


def test_the_change_is_shown_once_and_before_the_question(machine: CommandMachine) -> None:
    assert asked(machine, "y\n").out.count(SHOWN) == 1
    machine.put("rules/a.md", "changed\n")
    before = machine.lock_bytes
    assert "~1" in asked(machine, "n\n").out
    assert machine.lock_bytes == before


def test_with_yes_nobody_is_asked(machine: CommandMachine) -> None:
    told = asked(machine, "n\n", "--yes")
    assert (told.code, told.err) == (0, "")
    assert machine.exists("agent-sync.lock")


def test_if_nothing_changes_nobody_is_asked(machine: CommandMachine) -> None:
    asked(machine, "", "--yes")
    told = inside(machine).run("update")
    assert (told.code, told.out, told.err) == (0, "agent-sync.lock is up to date\n", "")


def test_a_dry_run_asks_nobody(machine: CommandMachine) -> None:
    told = asked(machine, "y\n", "--dry-run")
    assert (told.code, told.err) == (0, "")
    assert told.out.endswith("dry run: agent-sync.lock not written\n")
    assert not machine.exists("agent-sync.lock")


@pytest.mark.parametrize("flags", [(), ("--json",), ("--quiet",)])
def test_x10_where_nobody_can_be_asked_it_is_wrong_usage(machine: CommandMachine, flags: tuple[str, ...]) -> None:
    """X10, R081: also with --json and --quiet at a terminal, which leave no room for a question."""
    told = inside(machine, at_terminal=bool(flags), typed="y\n", NO_COLOR="1").run("update", *flags)
    assert told.code == 2
    assert "--yes" in told.out + told.err
    assert not machine.exists("agent-sync.lock")


def test_without_a_terminal_the_change_is_shown_nevertheless(machine: CommandMachine) -> None:
    assert SHOWN in inside(machine).run("update").out


def test_what_failed_is_told_and_the_rest_is_asked_about(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    machine.configure(
        "version: 1\n"
        "sources:\n"
        "  - {name: rules, type: local, path: ./rules/}\n"
        "  - {name: gone, type: local, path: ./gone/}\n"
        "targets: [{source: rules, tools: [cursor]}]\n"
    )
    told = asked(machine, "y\n")
    assert told.code == 14
    assert "gone  failed; never locked\n" in told.out
    assert f"{QUESTION}error[config-invalid]: " in told.err
    assert "error[config-invalid]: source gone: " in told.err
    assert machine.exists("agent-sync.lock")


def test_if_everything_failed_nobody_is_asked(tmp_path: Path) -> None:
    machine = a_local_machine(tmp_path)
    (machine.project / "rules/link.md").symlink_to("/etc/hostname")
    told = asked(machine, "y\n")
    assert told.code == 7
    assert told.out == "rules  failed; never locked\n"
    assert QUESTION not in told.err
    assert not machine.exists("agent-sync.lock")


def test_what_the_user_s_own_layer_adds_is_shown_and_asked_about_by_its_own_name(machine: CommandMachine) -> None:
    asked(machine, "y\n")
    mine = machine.home / "mine"
    mine.mkdir()
    (mine / "m.md").write_text("mine\n")
    layer = machine.home / "layer.yaml"
    layer.write_text(
        f"version: 1\nsources: [{{name: mine, type: local, path: {mine}, outside_root: true}}]\n"
        "targets: [{source: mine, destination: .mine/}]\n"
    )
    before = machine.lock_bytes
    told = inside(machine, at_terminal=True, typed="y\n", NO_COLOR="1", AGENT_SYNC_USER_CONFIG=str(layer)).run(
        "update", "--inherited"
    )
    assert told.code == 0, told
    assert told.err == "Write .agent-sync/inherited.lock? [y/N] "
    assert ".agent-sync/inherited.lock\n  mine  new: (1 file)  +1\n" in told.out
    assert machine.lock_bytes == before
