"""recover: what an interrupted run left behind is undone, or finished if it was all but done."""

from __future__ import annotations

from agent_sync.apply.account import Account
from agent_sync.apply.journal import parse_journal
from agent_sync.apply.result import Recovered
from agent_sync.apply.settling import settle, undisturbed
from agent_sync.apply.transaction import JOURNAL, Transaction, read_journal
from agent_sync.checkout import TRANSACTION, Checkout
from agent_sync.ports import World
from agent_sync.ports.sweeping import sweep


def recover(checkout: Checkout, world: World) -> Recovered | None:
    """No interrupted run is left in this checkout; None if there was none that had changed anything.

    Every command that writes does this first, holding the project. It may be killed itself, and run again.

    Raises:
        RollbackIncomplete: some target cannot be put back, or the journal cannot be read; nothing of it is lost.
        UnsafePath, FileFault: the system refused.
    """
    if not checkout.is_there() or checkout.folder.stat(TRANSACTION) is None:
        return None
    journal = read_journal(checkout)
    if journal is None:  # killed while it staged, or while it cleared up
        sweep(TRANSACTION, folder=checkout.folder)
        return None
    identity, changes = parse_journal(journal)
    # Whether a target lies on another file system is not in the journal: it is found out by running into it.
    transaction = Transaction(checkout, identity, crossed=True)
    account = Account(checkout.kept, observer=world.observer, now_s=world.clock.now_s())
    settled, interrupt = undisturbed(lambda: settle(changes, transaction, account, project=world.project))
    if interrupt is not None:
        raise interrupt
    return settled


def is_interrupted(checkout: Checkout) -> bool:
    """Whether a run was cut short here and waits for `recover`."""
    return checkout.is_there() and checkout.folder.stat(JOURNAL) is not None
