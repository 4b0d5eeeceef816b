"""recover: an interrupted sync is undone, or finished if it had come to its last step (architecture)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agent_sync.apply import Recovered, is_interrupted
from agent_sync.apply import recover as settle
from agent_sync.errors import RollbackIncomplete
from agent_sync.events import Warned
from agent_sync.operations.inputs import Inputs

WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """What was settled; None if nothing had been interrupted."""

    recovered: Recovered | None


def recover(inputs: Inputs) -> RecoverResult:
    """The project is as a whole sync leaves it, or as it was before.

    Raises: RollbackIncomplete, FileSystemError; the journal then stays, and running it again goes on.
    """
    if not inputs.checkout.is_there():
        return RecoverResult(None)
    with inputs.checkout.hold(wait_s=WAIT_S):
        return RecoverResult(_recover_interrupted(inputs))


@contextmanager
def exclusive_access(inputs: Inputs, *, dry_run: bool = False) -> Iterator[None]:
    """Nobody else writes to the project meanwhile, and what an earlier run left unfinished is settled first.

    A dry run holds nothing, since it may not even make `.agent-sync/`.

    Raises: ProjectBusy; RollbackIncomplete if a dry run meets an unfinished one.
    """
    if dry_run:
        if is_interrupted(inputs.checkout):
            raise RollbackIncomplete(
                subject="this project",
                check="a sync was interrupted here",
                remedy="settle it first: agent-sync recover",
            )
        yield
        return
    with inputs.checkout.hold(wait_s=WAIT_S):
        _recover_interrupted(inputs)
        yield


def _recover_interrupted(inputs: Inputs) -> Recovered | None:
    recovered = settle(inputs.checkout, inputs.world)
    if recovered is not None:
        done = "finished" if recovered.finished else "undone"
        inputs.world.observer(Warned("recovered", "this project", f"an interrupted sync was {done}"))
    return recovered
