"""apply: a plan is carried out, or everything is as it was."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync.apply.account import Account
from agent_sync.apply.changes import Change, FileChange, NewFolder
from agent_sync.apply.changing import carry_out
from agent_sync.apply.finishing import finish
from agent_sync.apply.journal import write_journal
from agent_sync.apply.recovering import is_interrupted
from agent_sync.apply.result import Applied
from agent_sync.apply.settling import settle, undisturbed
from agent_sync.apply.spots import Targets
from agent_sync.apply.staging import Staging
from agent_sync.apply.surveying import survey
from agent_sync.apply.transaction import Transaction
from agent_sync.checkout import Checkout
from agent_sync.errors import AgentSyncError, FileFault, RollbackIncomplete, UnsafePath
from agent_sync.escaping import shown
from agent_sync.events import FileRemoved, FileWritten, Observer, RolledBack, Warned
from agent_sync.plan.model import Plan
from agent_sync.ports import Contents, World
from agent_sync.tree import RelPath, join, sorted_paths

_RECOVER = "agent-sync recover"


def apply(plan: Plan, contents: Contents, checkout: Checkout, world: World, *, applied_lock: bytes) -> Applied:
    """The targets are what the plan says, and the checkout remembers `applied_lock`; or nothing has changed.

    The caller holds the project (`Checkout.hold`) and has recovered it. 1 What stands in the way is found; 2 everything
    new is staged; 3 the journal is on the disk; 4 each target takes one rename; 5 one rename commits; 6 what was edited
    is kept, and the transaction is cleared away.

    Raises:
        UnsafePath, FileFault, LimitExceeded, BlobCorrupt, BytesUnavailable, Cancelled: nothing has changed, or all of
            it is undone.
        RollbackIncomplete: it could not be undone; the journal stays for `recover`.
    """
    _refuse_interrupted(checkout)
    now_s = world.clock.now_s()
    changes = survey(plan, world.project, now_s=now_s)
    if not changes:
        checkout.write_applied(applied_lock)
        return Applied()
    identity = f"{int(abs(now_s) * 1e6):x}"
    transaction = Transaction.begin(checkout, identity)
    account = Account(checkout.kept, observer=world.observer, now_s=now_s)
    try:
        Staging(contents, observer=world.observer, cancellation=world.cancellation).stage(changes, transaction)
        transaction.open(write_journal(identity, changes), applied_lock=applied_lock)
        carry_out(changes, transaction, Targets(world.project), cancellation=world.cancellation)
        transaction.commit()
    except BaseException as error:
        _take_back(error, changes, transaction, account, world)
        raise
    _, interrupt = undisturbed(lambda: _finish(changes, transaction, account, world))
    applied = _announced(changes, account, world.observer)
    if interrupt is not None:
        raise interrupt
    return applied


def _refuse_interrupted(checkout: Checkout) -> None:
    if is_interrupted(checkout):
        raise RollbackIncomplete(
            subject=f"project {shown(checkout.folder.name)}",
            check="a sync was interrupted here",
            remedy=f"undo it: {_RECOVER}",
        )


def _take_back(
    error: BaseException, changes: Sequence[Change], transaction: Transaction, account: Account, world: World
) -> None:
    """The run that failed of `error` is undone; Ctrl-C pressed once more does not stop that."""
    try:
        settled, interrupt = undisturbed(lambda: settle(changes, transaction, account, project=world.project))
    except AgentSyncError as failure:
        raise RollbackIncomplete(
            subject=failure.subject,
            check=f"{failure.check}; this was to be undone because of: {str(error) or type(error).__name__}",
            remedy=failure.remedy if isinstance(failure, RollbackIncomplete) else f"remove the cause; then: {_RECOVER}",
        ) from failure
    if settled.restored:
        world.observer(RolledBack(settled.restored))
    if interrupt is not None:
        raise interrupt


def _finish(changes: Sequence[Change], transaction: Transaction, account: Account, world: World) -> None:
    try:
        finish(changes, transaction, Targets(world.project), account, project=world.project)
    except (FileFault, UnsafePath) as error:
        message = (
            f"every file is written, but clearing up failed: {error.check}; the next command does it, or {_RECOVER}"
        )
        world.observer(Warned("unfinished", error.subject, message))


def _announced(changes: Sequence[Change], account: Account, observer: Observer) -> Applied:
    written = sorted_paths(_written(changes))
    removed = [change.path for change in changes if isinstance(change, FileChange) and change.after is None]
    for path in removed:
        observer(FileRemoved(path))
    for path in written:
        observer(FileWritten(path))
    return Applied(tuple(written), tuple(removed), account.kept)


def _written(changes: Sequence[Change]) -> list[RelPath]:
    paths: list[RelPath] = []
    for change in changes:
        if isinstance(change, NewFolder):
            paths.extend(join(change.path, arrival.key) for arrival in change.files)
        elif change.after is not None:
            paths.append(change.path)
    return paths
