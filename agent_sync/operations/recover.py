"""recover: undo an interrupted sync, or finish it if it had come to its last step (architecture)."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.apply import Recovered
from agent_sync.operations.inputs import Inputs
from agent_sync.operations.phases import WAIT_S, recover_interrupted


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """What was recovered; None if no sync had been interrupted."""

    recovered: Recovered | None


def recover(inputs: Inputs) -> RecoverResult:
    """Leave the project as a whole sync does, or as it was before.

    Raises: RollbackIncomplete, FileSystemError; the journal then stays, and running it again goes on.
    """
    if not inputs.checkout.is_there():
        return RecoverResult(None)
    with inputs.checkout.hold(wait_s=WAIT_S):
        return RecoverResult(recover_interrupted(inputs))
