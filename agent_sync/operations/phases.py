"""The two phases of a verb that writes: `plan` without the project's lock, and `execute` with it.

A plan fetches, resolves, and compares; it may take minutes, and a person may read what it says. Executing it takes the
project's lock, validates the read set, and writes. If something moved in between, the verb plans again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby
from typing import TypeVar

from agent_sync.apply import Recovered, is_interrupted, recover
from agent_sync.checkout import INHERITED
from agent_sync.errors import AgentSyncError, FileSystemError, MovedMeanwhile, RollbackIncomplete, UnsafePath
from agent_sync.events import AuditEvent, LockWritten, Undone, Warned
from agent_sync.operations.inputs import Inputs, moved
from agent_sync.plan.actions import Action
from agent_sync.ports import Directory
from agent_sync.tree import RelPath, parent
from agent_sync_oci.digest import Digest
from agent_sync_oci.text import quoted

WAIT_S = 10.0  # how long a verb waits for another process that holds the project
ATTEMPTS = 3

Result = TypeVar("Result")


def retry_if_moved(attempt: Callable[[], Result], *, asked: bool = False) -> Result:
    """Return what `attempt` returns, which plans and executes; repeat it if something moved in between.

    If a person was `asked` about the plan, it is not repeated: the answer was given to that plan and to no other.

    Raises: MovedMeanwhile if the project moves during each of `ATTEMPTS` attempts.
    """
    for _ in range(0 if asked else ATTEMPTS - 1):
        try:
            return attempt()
        except MovedMeanwhile:
            continue
    return attempt()


def require_recovered(inputs: Inputs, *, dry_run: bool = False) -> None:
    """Recover from an interrupted sync before anything is planned.

    A dry run holds nothing and changes nothing.

    Raises: RollbackIncomplete (a dry run meets an interrupted sync, or recovery fails), ProjectBusy, FileSystemError.
    """
    if not is_interrupted(inputs.checkout):
        return
    if dry_run:
        raise RollbackIncomplete(
            subject=_project(inputs), check="a sync was interrupted", remedy="recover from it: agent-sync recover"
        )
    with inputs.checkout.hold(wait_s=WAIT_S):
        recover_interrupted(inputs)


@contextmanager
def exclusive_access(inputs: Inputs, actions: Iterable[Action] = ()) -> Iterator[None]:
    """Hold the project while a plan is executed, after checking that nothing that it was made from has moved.

    `actions` are those of the plan: the outputs that they touch must be what the plan saw.

    Raises: ProjectBusy, MovedMeanwhile; RollbackIncomplete, FileSystemError (an interrupted sync cannot be undone).
    """
    with inputs.checkout.hold(wait_s=WAIT_S):
        # Whatever recovery changed, the plan has not seen.
        if recover_interrupted(inputs) is not None:
            raise moved(_project(inputs))
        inputs.reads.validate()
        _validate_outputs(actions, inputs.world.project)
        yield


@contextmanager
def audited(inputs: Inputs, event: AuditEvent) -> Iterator[None]:
    """Announce what the `with` block commits, and `Undone` if it fails."""

    def announce_failure(_type: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            inputs.run.audit(Undone(error.rule if isinstance(error, AgentSyncError) else type(error).__name__))

    inputs.run.audit(event)
    with ExitStack() as stack:
        stack.push(announce_failure)
        yield


def replace_lock(inputs: Inputs, content: bytes) -> bool:
    """Write these bytes to the lock file, audited, and return whether it changed. The project is held."""
    before = inputs.lock_content()
    if content == before:
        return False
    with audited(inputs, LockWritten(inputs.lock_file.label, _digest(before), _digest(content))):
        return inputs.lock_file.replace(content)


def replace_inherited_lock(inputs: Inputs, content: bytes | None) -> None:
    """Write these bytes to the inherited lock, or remove it, audited. The project is held."""
    before = inputs.inherited_content()
    if content == before:
        return
    with audited(inputs, LockWritten(INHERITED, _digest(before), _digest(content))):
        inputs.checkout.write_inherited(content)


def _digest(content: bytes | None) -> Digest | None:
    return None if content is None else Digest.of(content)


def recover_interrupted(inputs: Inputs) -> Recovered | None:
    """Undo or finish an interrupted sync, with a warning; return None if there was none. The project is held."""
    recovered = recover(inputs.checkout, inputs.world)
    if recovered is not None:
        done = "finished" if recovered.finished else "undone"
        inputs.world.observer(Warned("recovered", _project(inputs), f"an interrupted sync was {done}"))
    return recovered


def _project(inputs: Inputs) -> str:
    return f"project {quoted(inputs.world.project.name)}"


def _validate_outputs(actions: Iterable[Action], project: Directory) -> None:
    for at, together in groupby(actions, key=lambda action: parent(action.path)):
        try:
            if project.stat(at) is None:
                continue  # nothing can have moved in a directory that is not there
            directory = project.below(at) if at else project
        except (FileSystemError, UnsafePath):
            continue  # something is in the way of the directory: applying the plan judges that
        for action in together:
            # The stat is enough: applying hashes again what may have changed within one tick of the clock.
            if directory.stat(RelPath(action.path.rpartition("/")[2])) != action.stat:
                raise moved(quoted(action.path))
