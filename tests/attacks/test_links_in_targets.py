"""A directory or file of the outputs, swapped for a link or for something else: what looks tells, what writes
refuses.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.command_line import CommandMachine, a_local_machine, snapshot

PLACES = [".cursor", ".cursor/rules", ".cursor/rules/sub", ".cursor/rules/sub/deep"]
FILE = ".cursor/rules/sub/deep/b.md"


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    machine = a_local_machine(tmp_path)
    machine.put("rules/sub/deep/b.md", "b\n")
    machine.lock_and_sync()
    return machine


def swapped(machine: CommandMachine, place: str) -> Path:
    """The directory at `place` lies outside now, and a link leads to it; where it lies."""
    outside = machine.project.parent / "outside"
    (machine.project / place).rename(outside)
    (machine.project / place).symlink_to(outside)
    return outside


@pytest.mark.parametrize("place", PLACES)
def test_a_linked_directory_is_drift_to_who_looks_and_refused_by_who_writes(
    machine: CommandMachine, place: str
) -> None:
    outside = swapped(machine, place)
    before, project = snapshot(outside), machine.tree()
    ran = machine.run("check", expect=1)
    assert f"missing    {FILE} (rules)" in ran.out
    assert f'warning[blocked]: "{place}": a symbolic link' in ran.err
    assert "missing" in machine.run("status").out
    assert FILE in machine.run("diff", expect=1).out
    for words in (["sync"], ["sync", "--dry-run"], ["sync", "--prune"], ["sync", "--frozen"]):
        assert place in machine.run(*words, expect=7).err
    assert snapshot(outside) == before
    assert machine.tree() == project


@pytest.mark.parametrize("place", PLACES)
def test_when_the_link_is_gone_status_and_check_see_it_at_once(machine: CommandMachine, place: str) -> None:
    outside = swapped(machine, place)
    machine.run("check", expect=1)
    assert "missing" in machine.run("status").out
    (machine.project / place).unlink()
    outside.rename(machine.project / place)
    assert "synced" in machine.run("status").out
    machine.run("check", "--strict")
    swapped(machine, place)
    assert "missing" in machine.run("status").out
    machine.run("check", expect=1)


@pytest.mark.parametrize("place", PLACES)
def test_prune_leaves_what_lies_behind_a_link_and_says_why(machine: CommandMachine, place: str) -> None:
    outside = swapped(machine, place)
    machine.configure("version: 1\n")
    before, project = snapshot(outside), machine.tree()
    assert place in machine.run("prune", expect=7).err
    assert (snapshot(outside), machine.tree()) == (before, project)


def test_a_file_in_the_place_of_a_directory_is_drift_as_well(machine: CommandMachine) -> None:
    (machine.project / FILE).unlink()
    (machine.project / ".cursor/rules/sub/deep").rmdir()
    machine.put(".cursor/rules/sub/deep", "a file\n")
    document = json.loads(machine.run("check", "--json", expect=1).out)
    assert document["missing"] == [{"path": FILE, "source": "rules"}]
    assert document["unexpected"] == [".cursor/rules/sub/deep"]
    assert [warning["rule"] for warning in document["warnings"]] == ["blocked"]
    machine.run("sync", expect=17)


def test_an_orphan_that_became_a_link_is_left_to_its_owner(machine: CommandMachine) -> None:
    machine.configure("version: 1\n")
    (machine.project / FILE).unlink()
    (machine.project / FILE).symlink_to("/etc/hostname")
    assert FILE in machine.run("prune").out
    assert (machine.project / FILE).is_symlink()
    assert f"orphaned   {FILE} (rules, edited)" in machine.run("check", expect=1).out
