"""Where a lock has arrived and no configuration: the verbs that go by the lock alone, and those that cannot."""

from __future__ import annotations

import pytest

from agent_sync.errors import ConfigInvalid, LockMissing
from agent_sync.tree import RelPath
from tests.builders.bundles import a_receiver, a_sender, changed, pull, push
from tests.builders.projects import MemoryProject


@pytest.fixture
def arrived() -> MemoryProject:
    """A machine with a lock, its files, and nothing else."""
    sender = a_sender()
    push(sender)
    return _arrived(sender)


def _arrived(sender: MemoryProject) -> MemoryProject:
    receiver = a_receiver(sender)
    for path in [path for path in receiver.files if path != "agent-sync.lock"]:
        receiver.directory.remove(RelPath(path))
    pull(receiver)
    receiver.project().sync(frozen=True)
    return receiver


def test_check_status_and_diff_go_by_the_lock(arrived: MemoryProject) -> None:
    project = arrived.project()
    assert project.check(strict=True, deep=True).clean
    assert [row.name for row in project.status().rows] == ["rules"]
    arrived.put(".cursor/rules/a.md", "mine\n")
    assert project.check().drift.changed == (".cursor/rules/a.md",)
    assert [diff.path for diff in project.diff().diffs] == [".cursor/rules/a.md"]


def test_prune_removes_what_the_next_lock_does_not_have_and_leaves_that_lock_as_it_came() -> None:
    sender = changed(a_sender())
    push(sender)
    arrived = _arrived(sender)
    sender.directory.remove(RelPath("rules/c.md"))
    sender.project().update()
    push(sender)
    pull(arrived, write_lock=True, allow_unsigned=True)
    arrived.project().sync(frozen=True)
    assert arrived.project().check().drift.orphaned == (".cursor/rules/c.md",)
    result = arrived.project().prune()
    assert [action.path for action in result.removed] == [".cursor/rules/c.md"]
    assert result.difference.same
    assert arrived.lock == sender.lock
    assert arrived.project().check(strict=True).clean


def test_frozen_check_does_not_look_at_the_configuration(arrived: MemoryProject) -> None:
    arrived.put("agent-sync.yaml", "version: 1\nsources:\n- {name: other, type: local, path: ./other/}\n")
    with pytest.raises(LockMissing):
        arrived.project().check()
    assert arrived.project().check(frozen=True).clean
    arrived.put("agent-sync.yaml", "not: [a configuration")
    assert arrived.project().check(frozen=True).clean


def test_what_needs_a_configuration_says_so(arrived: MemoryProject) -> None:
    for verb in (arrived.project().sync, arrived.project().update, arrived.project().verify):
        with pytest.raises(ConfigInvalid) as caught:
            verb()
        assert "--frozen" in (caught.value.remedy or "")


def test_without_a_lock_there_must_be_a_configuration() -> None:
    nothing = MemoryProject()
    for verb in (nothing.project().check, nothing.project().status, nothing.project().prune):
        with pytest.raises(ConfigInvalid):
            verb()
    with pytest.raises(LockMissing):
        nothing.project().check(frozen=True)
