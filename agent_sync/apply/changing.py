"""The targets become what the plan says: first what goes, then what comes, each by one rename."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync.apply.blaming import blame_change
from agent_sync.apply.changes import Change, FileChange, NewFolder
from agent_sync.apply.spots import Spot, Targets
from agent_sync.apply.transaction import Room, Transaction
from agent_sync.checkout.walking import levels
from agent_sync.errors import AgentSyncError, FileFault, UnsafePath
from agent_sync.escaping import shown
from agent_sync.ports import Cancellation, Kind


def carry_out(
    changes: Sequence[Change], transaction: Transaction, targets: Targets, *, cancellation: Cancellation
) -> None:
    """Every change is made; what stood there lies in the transaction.

    Raises: UnsafePath, FileFault, Cancelled; some changes are made then and have to be undone.
    """
    going = [change for change in changes if isinstance(change, FileChange) and change.after is None]
    coming = [change for change in changes if isinstance(change, NewFolder) or change.after is not None]
    for change in (*going, *coming):
        cancellation.check()
        try:
            _make(change, transaction, targets.spot(change.path))
        except AgentSyncError as error:
            blame_change(error, change)
            raise


def _make(change: Change, transaction: Transaction, target: Spot) -> None:
    key = str(change.number)
    # Once more, now by the descriptor that the change itself goes through: staging may have taken minutes.
    stat = target.stat()
    if isinstance(change, NewFolder):
        if stat is not None:
            raise _changed(change, "something was put there")
        transaction.place(key, target)
        return
    if stat is not None:
        _set_aside(change, transaction, target, stat.kind)
    if change.after is not None:
        transaction.place(key, target)


def _set_aside(change: FileChange, transaction: Transaction, target: Spot, kind: Kind) -> None:
    key = str(change.number)
    if kind is Kind.FILE and change.after is not None:
        # A second name, not a rename: whoever reads the target sees the old file or the new one, and never none. What
        # an editor still writes into the old one, we find there. (One that renames a new file over it in the
        # microseconds until we do wins nothing: without a swapping rename no program can rule that out.)
        transaction.link(target, Room.UNDO, key)
    elif kind is Kind.FILE:
        transaction.take(target, Room.UNDO, key)
    elif kind is Kind.FOLDER and change.after is not None:
        _give_way(change, transaction, target)
    else:
        raise _changed(change, f"a {kind.value} was put there", link=kind is Kind.LINK)


def _give_way(change: FileChange, transaction: Transaction, target: Spot) -> None:
    """The folder that stands at the target is set aside; all that was ours in it has been taken out before.

    Raises: FileFault if there still is a file in it.
    """
    transaction.take(target, Room.UNDO, str(change.number))
    folder = transaction.find(Room.UNDO, str(change.number), target.folder)
    assert folder is not None
    for level in levels(folder.name, folder=folder.folder):
        for name, stat in level.inside:
            if transaction.is_beside(name):  # it would go with the folder, out of the reach of an undo
                raise FileFault(
                    subject=shown(change.path),
                    check="a folder stands there that cannot give way to a file on another file system than ours",
                    remedy="remove that folder, then run it again",
                )
            if stat.kind is not Kind.FOLDER:
                raise _changed(change, f"{shown(name)} was put into the folder there")


def _changed(change: Change, what: str, *, link: bool = False) -> AgentSyncError:
    family = UnsafePath if link else FileFault
    return family(subject=shown(change.path), check=f"{what} while the sync ran", remedy="run it again")
