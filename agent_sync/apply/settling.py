"""Bringing a run that did not end to one: undone if it had not come to its last step, else finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from agent_sync.apply.account import Account
from agent_sync.apply.changes import Change
from agent_sync.apply.finishing import finish
from agent_sync.apply.result import Recovered
from agent_sync.apply.spots import Targets
from agent_sync.apply.transaction import State, Transaction
from agent_sync.apply.undoing import Undoing
from agent_sync.ports import Folder

T = TypeVar("T")


def settle(changes: Sequence[Change], transaction: Transaction, account: Account, *, project: Folder) -> Recovered:
    """The run is settled, and nothing of it is left.

    Raises: RollbackIncomplete, FileFault, UnsafePath; the journal stays then, and this may be tried again.
    """
    targets = Targets(project)
    paths = [change.path for change in changes]
    match transaction.state():
        case State.STAGING:
            transaction.close(targets, ())
            return Recovered(finished=False, restored=account.restored, kept=account.kept)
        case State.CHANGING:
            Undoing(transaction, targets, account, project).undo(changes)
            project.flush()
            transaction.close(targets, paths)
            return Recovered(finished=False, restored=account.restored, kept=account.kept)
        case State.COMMITTED:
            finish(changes, transaction, targets, account, project=project)
            return Recovered(finished=True, kept=account.kept)


def undisturbed(work: Callable[[], T]) -> tuple[T, KeyboardInterrupt | None]:
    """What `work` gives, begun again as often as somebody presses Ctrl-C; and the last of these, to be raised then."""
    interrupt: KeyboardInterrupt | None = None
    while True:
        try:
            return work(), interrupt
        except KeyboardInterrupt as error:
            interrupt = error
