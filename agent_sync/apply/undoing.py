"""The targets become what they were before a run that did not end. May itself be cut short anywhere, and begun anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from agent_sync.apply.account import Account
from agent_sync.apply.changes import Change, FileChange, NewFolder
from agent_sync.apply.spots import Spot, Targets
from agent_sync.apply.transaction import Room, Transaction
from agent_sync.errors import AgentSyncError, CrossesFileSystems, FileFault, RollbackIncomplete, UnsafePath
from agent_sync.escaping import shown
from agent_sync.ports import Folder, Kind, Stat
from agent_sync.tree import Entry, RelPath, join, parent


class Undoing:
    """Undoes one run: by what lies on the disk alone, so it needs no memory of how far the run came.

    What somebody else put at a target meanwhile is kept before the old file takes its place back; where nothing stood
    before, it stays where it is.
    """

    def __init__(self, transaction: Transaction, targets: Targets, account: Account, project: Folder) -> None:
        self._transaction = transaction
        self._targets = targets
        self._account = account
        self._project = project

    def undo(self, changes: Sequence[Change]) -> None:
        """Everything is as it was.

        Raises: RollbackIncomplete if some of it could not be undone; the rest is, and trying again is safe.
        """
        failures: list[tuple[RelPath, AgentSyncError]] = []
        # What came goes first, and what went comes back last: a folder may have taken the place of a file.
        for change in sorted(changes, key=_is_removal):
            try:
                self._undo(change)
            except (FileFault, UnsafePath) as error:
                failures.append((change.path, error))
        if failures:
            raise _incomplete(failures)

    def _undo(self, change: Change) -> None:
        if isinstance(change, NewFolder):
            self._undo_folder(change)
            return
        key = str(change.number)
        target = self._targets.find(change.path)
        old = self._find_old(change, target)
        if target is None and old is None:
            return
        target = target or self._targets.make(change.path)
        present = target.stat()
        if self._transaction.find(Room.STAGE, key, target.folder) is not None:
            if old is not None and present is None:
                old.move_to(target)  # an empty folder had given way already
            return
        if old is not None:
            self._put_back(change, old, target, present)
        elif change.after is not None and target.entry() == change.after:
            self._take_out(target, key, change.path, change.after)

    def _find_old(self, change: FileChange, target: Spot | None) -> Spot | None:
        folder = self._project if target is None else target.folder
        return self._transaction.find(Room.UNDO, str(change.number), folder)

    def _put_back(self, change: FileChange, old: Spot, target: Spot, present: Stat | None) -> None:
        key = str(change.number)
        if present is not None and present.kind is Kind.FOLDER:
            raise FileFault(
                subject=shown(change.path), check="a folder stands where the file was", remedy="move it away"
            )
        self._settle_out(key, target, change.path, change.after)
        if present is not None:
            self._save(change, old, target, present)
        old.move_to(target)
        self._account.note_restored(change.path)
        self._settle_out(key, target, change.path, change.after)

    def _save(self, change: FileChange, old: Spot, target: Spot, present: Stat) -> None:
        """What stands at the target is in `out` as well, or instead where the old thing could not replace it."""
        key = str(change.number)
        before = old.stat()
        if present.kind is not Kind.FILE or before is None or before.kind is not Kind.FILE:
            self._transaction.take(target, Room.OUT, key)
        elif target.entry() != change.after:
            self._transaction.link(target, Room.OUT, key)
        else:
            with suppress(FileFault):  # ours, it seems: on a full disk going back matters more than a late edit
                self._transaction.link(target, Room.OUT, key)

    def _take_out(self, target: Spot, key: str, path: RelPath, ours: Entry) -> None:
        """The file, which is the one that we wrote, no longer stands there. An edit of the last moment is kept."""
        self._settle_out(key, target, path, ours)
        try:
            self._transaction.take(target, Room.OUT, key)
        except CrossesFileSystems:
            target.folder.remove(target.name)
        self._account.note_restored(path)
        self._settle_out(key, target, path, ours)

    def _settle_out(self, key: str, target: Spot, path: RelPath, ours: Entry | None) -> None:
        out = self._transaction.find(Room.OUT, key, target.folder)
        if out is None:
            return
        if ours is not None and out.entry() == ours:
            out.folder.remove(out.name)
        else:
            self._account.keep(path, out)

    def _undo_folder(self, change: NewFolder) -> None:
        target = self._targets.find(change.path)
        if target is None or self._transaction.find(Room.STAGE, str(change.number), target.folder) is not None:
            return
        found = target.stat()
        if found is None or found.kind is not Kind.FOLDER:
            return
        folders = {change.path}
        for index, arrival in enumerate(change.files):
            path = join(change.path, arrival.key)
            spot = self._targets.find(path)
            if spot is not None and spot.entry() == arrival.entry:
                self._take_out(spot, f"{change.number}-{index}", path, arrival.entry)
            folders.update(_between(change.path, path))
        for folder in sorted(folders, key=len, reverse=True):
            self._project.remove_folder(folder)


def _is_removal(change: Change) -> bool:
    return isinstance(change, FileChange) and change.after is None


def _between(top: RelPath, path: RelPath) -> Iterator[RelPath]:
    """The folders on the way from `top` to `path`."""
    while (path := parent(path)) != top:
        yield path


def _incomplete(failures: Sequence[tuple[RelPath, AgentSyncError]]) -> RollbackIncomplete:
    path, first = failures[0]
    others = len(failures) - 1
    more = f", and {others} more file{'s' if others > 1 else ''}" if others else ""
    return RollbackIncomplete(
        subject=f"file {shown(path)}{more}",
        check=f"it could not be put back as it was: {first.check}",
        remedy=f"{first.remedy or 'remove the cause'}; then: agent-sync recover",
    )
