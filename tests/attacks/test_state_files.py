"""The locks in `.agent-sync/`, broken by accident or on purpose: every error says how to get out of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine

APPLIED, INHERITED = ".agent-sync/applied.lock", ".agent-sync/inherited.lock"
BROKEN = {
    "garbage": "\x00\x01garbage",
    "a newer version": "version: 2\n",
    "an unsafe path": 'version: 1\nsources: []\norphans:\n  "../../x":\n    sha256: "' + "0" * 64 + '"\n',
    "no digest": "version: 1\nsources: []\norphans:\n  x.md:\n    sha256: ../../x\n",
    "a reference to nothing": "version: 1\nsources: []\noutputs:\n  - source: nobody\n    to: .cursor/rules/\n",
}


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    """A project with a source of its own and one of its user's, locked and synced."""
    machine = a_local_machine(tmp_path)
    user = tmp_path / "user.yaml"
    user.write_text(
        "version: 1\nsources:\n  - {name: mine, type: local, path: ./mine/}\n"
        "targets:\n  - {source: mine, destination: .mine/}\n"
    )
    machine.variables["AGENT_SYNC_USER_CONFIG"] = str(user)
    machine.put("mine/m.md", "m\n")
    machine.lock_and_sync()
    return machine


@pytest.mark.parametrize("words", [["sync"], ["check"], ["status"], ["prune"], ["update", "mine", "--yes"]])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_inherited_lock_names_the_command_that_makes_it_again(
    machine: CommandMachine, broken: str, words: list[str]
) -> None:
    lock, state = machine.lock_bytes, machine.read(INHERITED)
    machine.put(INHERITED, BROKEN[broken])
    before = machine.tree()
    ran = machine.run(*words, expect=None)
    assert ran.code in (4, 7)
    assert INHERITED in ran.err
    assert "help: make it again: agent-sync update --inherited" in ran.err
    assert "version control" not in ran.err
    assert machine.tree() == before
    assert "inherited-replaced" in machine.run("update", "--inherited", "--yes").err
    assert machine.lock_bytes == lock
    assert machine.read(INHERITED) == state
    machine.run("check", "--strict")


@pytest.mark.parametrize("words", [["update", "--yes"], ["update", "--inherited", "--yes"]])
def test_a_broken_inherited_lock_goes_where_nothing_is_inherited_any_more(
    machine: CommandMachine, words: list[str]
) -> None:
    machine.put(INHERITED, BROKEN["garbage"])
    machine.variables.clear()
    machine.run("sync", expect=4)
    machine.run(*words)
    assert not machine.exists(INHERITED)
    machine.run("sync", "--prune")
    machine.run("check", "--strict")


def test_a_source_of_the_project_is_no_inherited_one(machine: CommandMachine) -> None:
    assert "without --inherited" in machine.run("update", "--inherited", "rules", "--yes", expect=2).err


def test_a_plain_update_makes_it_again_as_well(machine: CommandMachine) -> None:
    state = machine.read(INHERITED)
    machine.put(INHERITED, BROKEN["garbage"])
    machine.run("update", "--yes")
    assert machine.read(INHERITED) == state


def test_a_source_that_leaves_the_shared_lock_leaves_nobody_stuck(machine: CommandMachine) -> None:
    """As when a colleague renames it, and everybody pulls: the inherited lock still places it by its old name."""
    colleague = machine.another("colleague")
    colleague.configure(machine.read("agent-sync.yaml").replace("rules\n", "renamed\n"))
    colleague.run("update", "--yes", "--no-inherit")
    for path in ("agent-sync.yaml", "agent-sync.lock"):
        machine.put(path, colleague.read(path))
    ran = machine.run("sync", expect=4)
    assert '"rules"' in ran.err
    assert "agent-sync update --inherited" in ran.err
    machine.run("update", "--inherited", "--yes")
    machine.run("sync")
    machine.run("check", "--strict")
    assert machine.lock_bytes == colleague.lock_bytes


@pytest.mark.parametrize("words", [["sync"], ["check"], ["status"], ["prune"]])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_applied_lock_may_be_deleted(machine: CommandMachine, broken: str, words: list[str]) -> None:
    state = machine.read(APPLIED)
    machine.put(APPLIED, BROKEN[broken])
    ran = machine.run(*words, expect=None)
    assert ran.code in (4, 7)
    assert APPLIED in ran.err
    assert "help: delete it" in ran.err
    (machine.project / APPLIED).unlink()
    machine.run("sync")
    assert machine.read(APPLIED) == state
    machine.run("check", "--strict")


def test_without_the_applied_lock_an_edit_is_still_kept(machine: CommandMachine) -> None:
    machine.put(".cursor/rules/a.md", "edited\n")
    (machine.project / APPLIED).unlink()
    assert [edit["path"] for edit in json.loads(machine.run("sync", "--json").out)["kept"]] == [".cursor/rules/a.md"]


@pytest.mark.parametrize(
    "words", [["sync", "--frozen"], ["sync", "--frozen", "--prune"], ["sync", "--frozen", "--dry-run"]]
)
def test_a_frozen_sync_refuses_a_lock_that_does_not_say_where_files_go(tmp_path: Path, words: list[str]) -> None:
    machine = a_local_machine(tmp_path)
    machine.lock_and_sync()
    lock = machine.lock_bytes.decode()
    machine.put("agent-sync.lock", lock[: lock.index("outputs:")])
    before = machine.tree()
    ran = machine.run(*words, expect=4)
    assert "agent-sync update" in ran.err
    assert machine.tree() == before
    machine.run("sync")
    assert "pending" not in machine.run("status").out
    machine.configure(machine.read("agent-sync.yaml").replace("./rules/", "./elsewhere/"))
    assert "pending" in machine.run("status").out
