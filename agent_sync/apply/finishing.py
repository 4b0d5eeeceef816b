"""What is left to do once a run is committed: edits are kept, emptied folders removed, the transaction cleared away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from agent_sync.apply.account import Account
from agent_sync.apply.changes import Change, FileChange
from agent_sync.apply.spots import Spot, Targets
from agent_sync.apply.transaction import Room, Transaction
from agent_sync.errors import FileFault, UnsafePath
from agent_sync.ports import Folder, Kind, Stat
from agent_sync.tree import ROOT, RelPath, parent


def finish(
    changes: Sequence[Change], transaction: Transaction, targets: Targets, account: Account, *, project: Folder
) -> None:
    """Nothing is left of the run but what it was for. May be cut short anywhere, and begun again.

    Raises: UnsafePath, FileFault; what is not finished then, `recover` finishes.
    """
    files = [change for change in changes if isinstance(change, FileChange)]
    _keep_edits(files, transaction, targets, account)
    _remove_emptied((change.path for change in files if change.after is None), project)
    transaction.close(targets, [change.path for change in changes])


def _keep_edits(changes: Iterable[FileChange], transaction: Transaction, targets: Targets, account: Account) -> None:
    names = frozenset(transaction.room(Room.UNDO).names(ROOT))
    for change in changes:
        old = _old(change, names, transaction, targets)
        if old is not None and not _may_go(change, old):
            account.keep(change.path, old)


def _old(change: FileChange, names: frozenset[str], transaction: Transaction, targets: Targets) -> Spot | None:
    key = str(change.number)
    if key in names:
        return Spot(transaction.room(Room.UNDO), RelPath(key))
    target = targets.find(change.path) if transaction.crossed else None
    return None if target is None else transaction.find(Room.UNDO, key, target.folder)


def _may_go(change: FileChange, old: Spot) -> bool:
    """Whether what was replaced is what we had written, and no edit, not even one made while we ran."""
    stat = old.stat()
    if stat is None or stat.kind is Kind.FOLDER:  # a folder that gave way was empty
        return True
    if change.stat is not None and _same(stat, change.stat):
        return True
    return change.ours is not None and old.entry() == change.ours


def _same(now: Stat, before: Stat) -> bool:
    # Not the time of the last change: a new name and a lost one are changes to the file, too.
    return (now.inode, now.size, now.modified_ns, now.executable) == (
        before.inode,
        before.size,
        before.modified_ns,
        before.executable,
    )


def _remove_emptied(removed: Iterable[RelPath], project: Folder) -> None:
    """The folders that held nothing but what was removed are gone; one that cannot be removed does no harm."""
    for folder in dict.fromkeys(parent(path) for path in removed):
        with suppress(FileFault, UnsafePath):
            while folder != ROOT and project.remove_folder(folder):
                folder = parent(folder)
