"""Verbs in two phases: what moves between planning and executing is noticed, and planned for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest

from agent_sync.apply import is_interrupted
from agent_sync.checkout import Checkout
from agent_sync.errors import LockMissing, MovedMeanwhile, ProjectBusy, RollbackIncomplete
from agent_sync.events import EditKept
from agent_sync.operations import migrate, prune, restore, sync, update
from agent_sync.operations.inputs import Run
from agent_sync.operations.phases import ATTEMPTS
from agent_sync.project import Project
from agent_sync.tree import RelPath
from tests.builders.bundles import a_sender, demand, push
from tests.builders.projects import MemoryProject, a_local_project
from tests.builders.signatures import a_key
from tests.fakes.faults import Faults, Killed

OUTPUT = ".cursor/rules/a.md"


def synced() -> MemoryProject:
    project = a_local_project()
    project.project().update()
    project.project().sync()
    return project


def a_run(project: Project, operation: str) -> Run:
    return Run(operation, project.world, project.places)


@dataclass
class Interference:
    """What somebody does to the project right before it is held, which is after every plan; `left` times."""

    project: MemoryProject
    act: Callable[[int], object]
    left: int
    done: int = field(default=0)

    def __call__(self, verb: str, path: str) -> None:
        if verb == "lock" and path.endswith("lock") and self.left > 0:
            self.left -= 1
            self.done += 1
            self.act(self.done)


@contextmanager
def interference(project: MemoryProject, act: Callable[[int], object], *, times: int) -> Iterator[Interference]:
    machine = project.directory.machine
    before, found = machine.before_call, Interference(project, act, times)
    machine.before_call = found
    try:
        yield found
    finally:
        machine.before_call = before


def edit(project: MemoryProject) -> Callable[[int], object]:
    return lambda number: project.put(OUTPUT, f"mine, {number}\n")


def test_an_output_that_moves_is_planned_for_again_and_the_edit_is_kept() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    project.project().update()
    with interference(project, edit(project), times=1) as somebody:
        assert [action.edited for action in project.project().sync().written] == [True]
    assert somebody.done == 1
    assert project.outputs[OUTPUT] == "new\n"
    assert [event.path for event in project.events if isinstance(event, EditKept)] == [OUTPUT]


def test_after_three_plans_that_all_moved_it_is_an_error_and_nothing_is_written() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    project.project().update()
    with interference(project, edit(project), times=ATTEMPTS) as somebody, pytest.raises(MovedMeanwhile) as moved:
        project.project().sync()
    assert (somebody.done, moved.value.exit_code, moved.value.subject) == (3, 19, f'"{OUTPUT}"')
    assert project.outputs[OUTPUT] == "mine, 3\n"
    project.project().sync()
    assert project.outputs[OUTPUT] == "new\n"


def test_a_lock_that_moves_is_synced_as_it_is_then() -> None:
    project = synced()
    other = project.another_checkout()
    other.put("rules/a.md", "new\n")
    other.project().update()

    def pull(_: int) -> None:
        for name in ("rules/a.md", "agent-sync.lock"):
            project.put(name, other.read(name))

    with interference(project, pull, times=1):
        project.project().sync()
    assert project.outputs[OUTPUT] == "new\n"


def test_a_configuration_that_moves_is_read_again() -> None:
    project = synced()
    text = project.read("agent-sync.yaml").replace("cursor", "cline")
    project.put(OUTPUT, "edited\n")
    with interference(project, lambda _: project.put("agent-sync.yaml", text), times=1):
        project.project().sync()
    assert project.outputs[".cline/rules/a.md"] == "a\n"


def test_an_update_that_nobody_was_asked_about_is_planned_again() -> None:
    project = a_local_project()
    colleague = a_local_project()
    colleague.put("rules/a.md", "old\n")
    colleague.project().update()
    with interference(project, lambda _: project.put("agent-sync.lock", colleague.lock), times=1) as somebody:
        result = project.project().update()
    assert somebody.done == 1
    assert result.written
    assert result.before is not None, "it was planned again, from the lock that came meanwhile"


def test_the_answer_of_a_person_holds_for_what_was_asked_and_nothing_else() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    asked: list[str] = []

    def answer(result: update.UpdateResult) -> bool:
        asked.append(project.lock)
        project.put("agent-sync.lock", project.lock + "# a colleague was here\n")
        return result.changes

    with pytest.raises(MovedMeanwhile) as moved:
        project.project().update(confirm=answer)
    assert len(asked) == 1
    assert (moved.value.subject, moved.value.remedy) == ("agent-sync.lock", "rerun the command")
    assert project.lock == asked[0] + "# a colleague was here\n"


def test_while_a_person_reads_the_difference_the_project_is_not_held() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")

    def answer(_: update.UpdateResult) -> bool:
        project.put(OUTPUT, "mine\n")
        project.project().prune()  # a verb that writes, and would wait for a project that is held
        return True

    assert project.project().update(confirm=answer).written


def test_what_is_executed_holds_the_project() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    with Checkout(project.directory).hold():
        planned = update.plan(a_run(project.project(), "update").inputs())
        with pytest.raises(ProjectBusy):
            update.execute(planned)
    assert update.execute(planned).written


def test_a_plan_is_executed_once() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    planned = update.plan(a_run(project.project(), "update").inputs())
    update.execute(planned)
    with pytest.raises(MovedMeanwhile, match=r"agent-sync\.lock"):
        update.execute(planned)


@pytest.mark.parametrize("moved", ["agent-sync.lock", "agent-sync.yaml", ".agent-sync/applied.lock"])
def test_a_sync_rests_on_each_of_these(moved: str) -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    project.project().update()
    planned = sync.plan(a_run(project.project(), "sync").inputs())
    project.put(moved, project.read(moved) + "# moved\n")
    with pytest.raises(MovedMeanwhile):
        sync.execute(planned)
    assert project.outputs[OUTPUT] == "a\n"


def test_an_update_does_not_rest_on_what_was_applied() -> None:
    project = a_local_project()
    project.project().update()
    project.put("rules/a.md", "new\n")
    planned = update.plan(a_run(project.project(), "update").inputs())
    project.put("rules/a.md", "a\n")
    project.project().sync()
    assert update.execute(planned).written


def test_a_prune_whose_orphan_was_edited_meanwhile_leaves_it() -> None:
    project = synced()
    project.put("agent-sync.yaml", project.read("agent-sync.yaml").replace("cursor", "cline"))
    planned = prune.plan(a_run(project.project(), "prune").inputs())
    edit(project)(1)
    with pytest.raises(MovedMeanwhile, match=r"a\.md"):
        prune.execute(planned)
    assert project.project().prune().kept_back == (OUTPUT,)
    assert project.outputs[OUTPUT] == "mine, 1\n"


def test_a_restore_of_what_was_edited_meanwhile_keeps_that_edit_too() -> None:
    project = synced()
    edit(project)(1)
    project.project().sync()
    planned = restore.plan(a_run(project.project(), "restore").bare_inputs(), OUTPUT)
    edit(project)(2)
    with pytest.raises(MovedMeanwhile, match=r"a\.md"):
        restore.execute(planned)
    assert project.project().restore(OUTPUT).restored.replaced is not None
    assert project.outputs[OUTPUT] == "mine, 1\n"


def test_a_migration_does_not_overwrite_a_lock_that_came_meanwhile() -> None:
    project = synced()
    project.put("agent-sync.lock", project.lock + "\n\n")
    planned = migrate.plan(a_run(project.project(), "migrate").bare_inputs())
    project.put("agent-sync.lock", project.lock + "# newer\n")
    with pytest.raises(MovedMeanwhile):
        migrate.execute(planned)
    assert project.lock.endswith("# newer\n")


WHERE = "registry.example.com/team/agents:v1"


def a_receiver() -> MemoryProject:
    """A checkout with an older lock than the bundle that its registry has."""
    sender = a_local_project()
    sender.project().update()
    receiver = sender.another_checkout()
    sender.put("rules/a.md", "new\n")
    sender.project().update()
    sender.project().push(WHERE)
    return receiver


def test_a_pull_that_nobody_was_asked_about_takes_the_lock_that_came_meanwhile_as_the_old_one() -> None:
    receiver = a_receiver()
    pushed = receiver.lock + "\n"
    with interference(receiver, lambda _: receiver.put("agent-sync.lock", pushed), times=1) as somebody:
        result = receiver.project().pull(WHERE, write_lock=True, allow_unsigned=True)
    assert (somebody.done, result.lock_written) == (1, True)
    assert receiver.project().lock_file.content() != pushed.encode()


def test_a_pull_that_a_person_confirmed_does_not_replace_a_lock_that_came_meanwhile() -> None:
    receiver = a_receiver()
    theirs = receiver.lock + "\n"

    def answer(_: object) -> bool:
        receiver.project().prune()  # it is not held meanwhile
        receiver.put("agent-sync.lock", theirs)
        return True

    with pytest.raises(MovedMeanwhile, match=r"agent-sync\.lock"):
        receiver.project().pull(WHERE, write_lock=True, allow_unsigned=True, confirm=answer)
    assert receiver.lock == theirs


def test_a_pull_that_a_person_confirmed_does_not_miss_a_policy_that_came_meanwhile() -> None:
    receiver = a_receiver()
    theirs, config = receiver.lock, receiver.read("agent-sync.yaml")
    receiver.directory.remove(RelPath("agent-sync.yaml"))

    def answer(_: object) -> bool:
        receiver.put("agent-sync.yaml", config + "trust: {require: signed}\n")
        return True

    with pytest.raises(MovedMeanwhile, match=r"agent-sync\.yaml"):
        receiver.project().pull(WHERE, write_lock=True, allow_unsigned=True, confirm=answer)
    assert receiver.lock == theirs


OWN_RULE = """trust:
  rules:
  - {bundle: '**', threshold: 1, transparency_log: optional, signers: [{key: keys/alice.pub}]}
"""


@pytest.mark.parametrize("key", ["/etc/agent-sync/key-0.pub", "keys/alice.pub"], ids=["the machine's", "its own"])
def test_a_sync_rests_on_the_keys_that_a_policy_names(key: str) -> None:
    alice, mallory = a_key(), a_key()
    project = a_sender()
    push(project, key=alice)
    demand(project, alice)
    project.put("keys/alice.pub", alice.public.pem.decode())
    project.put("agent-sync.yaml", project.read("agent-sync.yaml") + OWN_RULE)
    planned = sync.plan(a_run(project.project(), "sync").inputs())
    if key in project.layers:
        project.layers[key] = mallory.public.pem
    else:
        project.put(key, mallory.public.pem.decode())
    with pytest.raises(MovedMeanwhile, match=key):
        sync.execute(planned)
    assert OUTPUT not in project.files


def test_an_interrupted_sync_is_recovered_before_anything_is_planned() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    project.project().update()
    kill_during_sync(project)
    with pytest.raises(RollbackIncomplete):
        project.project().sync(dry_run=True)
    project.project().sync()
    assert "recovered" in project.warnings
    assert project.outputs[OUTPUT] == "new\n"


def test_a_sync_that_is_killed_between_plan_and_execution_of_another_moves_it() -> None:
    project = synced()
    project.put("rules/a.md", "new\n")
    project.project().update()
    planned = sync.plan(a_run(project.project(), "sync").inputs())
    kill_during_sync(project)
    with pytest.raises(MovedMeanwhile):
        sync.execute(planned)
    project.project().sync()
    assert project.outputs[OUTPUT] == "new\n"


def test_without_a_lock_nothing_is_held_and_nothing_is_made() -> None:
    project = a_local_project()
    before = project.files
    with pytest.raises(LockMissing):
        project.project().sync()
    assert project.files == before


def kill_during_sync(project: MemoryProject) -> None:
    """Run a sync whose process is killed once its journal is written: it cannot even undo what it did."""
    for number in count():
        faults = Faults(number, error=Killed, for_ever=True)
        assert isinstance(faults.during(project.project().sync, project.directory), Killed)
        project.directory.machine.held.clear()  # the kernel releases what a dead process held
        if is_interrupted(Checkout(project.directory)):
            return
