"""Recover from a run that did not end: roll it back, or finalize it if it was committed.

Every step looks at the disk alone, so a recovery can be cut short anywhere and begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from agent_sync.apply.transaction import (
    JOURNAL,
    Area,
    Change,
    FileChange,
    NewDirectory,
    OpenDirectories,
    Slot,
    State,
    Transaction,
    parse_journal,
    read_journal,
)
from agent_sync.checkout import TRANSACTION, Checkout, KeptEdit, KeptEdits
from agent_sync.errors import AgentSyncError, CrossDeviceLink, FileSystemError, RollbackIncomplete, UnsafePath
from agent_sync.events import EditKept, Observer
from agent_sync.ports import Directory, Kind, Stat, World
from agent_sync.ports.files import sweep
from agent_sync.tree import ROOT, Entry, RelPath, join, parent, sorted_paths
from agent_sync_oci.records import record
from agent_sync_oci.text import quoted

T = TypeVar("T")


@record
class Recovered:
    """An interrupted run that was recovered from.

    It was `finished` if it had come to its last step, else undone; `restored` targets then are as they were before it.
    """

    finished: bool
    restored: tuple[RelPath, ...] = ()
    kept: tuple[KeptEdit, ...] = ()


class RunReport:
    """What one run kept and put back besides its plan, also if it took several attempts to get that far."""

    def __init__(self, kept: KeptEdits, *, observer: Observer, now_s: float) -> None:
        self._home = kept
        self._observer = observer
        self._now_s = now_s
        self._kept: list[KeptEdit] = []
        self._restored: set[RelPath] = set()

    @property
    def kept(self) -> tuple[KeptEdit, ...]:
        """The edits that were kept."""
        return tuple(self._kept)

    @property
    def restored(self) -> tuple[RelPath, ...]:
        """The targets that had been changed and are as they were."""
        return tuple(sorted_paths(self._restored))

    def keep(self, path: RelPath, slot: Slot) -> None:
        """Move what is in `slot`, an edit of `path`, to `kept/` before it is lost, and announce it."""
        edit = self._home.take(path, name=slot.name, directory=slot.directory, now_s=self._now_s)
        self._kept.append(edit)
        self._observer(EditKept(path, edit.place))

    def note_restored(self, path: RelPath) -> None:
        """Note that this target is as it was."""
        self._restored.add(path)


def recover(checkout: Checkout, world: World) -> Recovered | None:
    """Recover from an interrupted run in this checkout; return None if none had changed anything.

    Every command that writes does this first, holding the project. It may be killed itself, and run again.

    Raises:
        RollbackIncomplete: some target cannot be put back, or the journal cannot be read; nothing of it is lost.
        UnsafePath, FileSystemError: the system refused.
    """
    if not checkout.is_there() or checkout.directory.stat(TRANSACTION) is None:
        return None
    journal = read_journal(checkout)
    if journal is None:  # killed while it staged, or while it cleaned up
        sweep(TRANSACTION, directory=checkout.directory)
        return None
    identity, changes = parse_journal(journal)
    # Whether a target is on another file system is not in the journal: it is found out by running into it.
    transaction = Transaction(checkout, identity, crossed=True)
    report = RunReport(checkout.kept, observer=world.observer, now_s=world.clock.now_s())
    recovered, interrupt = defer_signals(lambda: recover_run(changes, transaction, report, project=world.project))
    if interrupt is not None:
        raise interrupt
    return recovered


def is_interrupted(checkout: Checkout) -> bool:
    """Tell whether a run was cut short here and waits for `recover`."""
    return checkout.is_there() and checkout.directory.stat(JOURNAL) is not None


def recover_run(
    changes: Sequence[Change], transaction: Transaction, report: RunReport, *, project: Directory
) -> Recovered:
    """Roll the run back if it was not committed, else finalize it; nothing of it is left then.

    Raises: RollbackIncomplete, FileSystemError, UnsafePath; the journal stays then, and this may be tried again.
    """
    targets = OpenDirectories(project)
    paths = [change.path for change in changes]
    match transaction.state():
        case State.STAGING:
            transaction.close(targets, ())
            return Recovered(finished=False, restored=report.restored, kept=report.kept)
        case State.CHANGING:
            _Rollback(transaction, targets, report, project).undo_all(changes)
            project.flush()  # what went back is on the disk before the journal, which knows how, is removed
            transaction.close(targets, paths)
            return Recovered(finished=False, restored=report.restored, kept=report.kept)
        case State.COMMITTED:
            finalize(changes, transaction, targets, report, project=project)
            return Recovered(finished=True, kept=report.kept)


def defer_signals(work: Callable[[], T]) -> tuple[T, KeyboardInterrupt | None]:
    """Return what `work` returns, begun again as often as somebody presses Ctrl-C, and the last of these to be raised.

    `work` must bear being cut short anywhere and begun again.
    """
    interrupt: KeyboardInterrupt | None = None
    while True:
        try:
            return work(), interrupt
        except KeyboardInterrupt as error:
            interrupt = error


# -- Finalizing a committed run: edits are kept, emptied directories removed, the transaction cleared away.


def finalize(
    changes: Sequence[Change],
    transaction: Transaction,
    targets: OpenDirectories,
    report: RunReport,
    *,
    project: Directory,
) -> None:
    """Remove everything of the run but what it was for. May be cut short anywhere, and begun again.

    Raises: UnsafePath, FileSystemError; what is not finalized then, `recover` finalizes.
    """
    files = [change for change in changes if isinstance(change, FileChange)]
    _keep_edits(files, transaction, targets, report)
    _remove_emptied((change.path for change in files if change.after is None), project)
    transaction.close(targets, [change.path for change in changes])


def _keep_edits(
    changes: Iterable[FileChange], transaction: Transaction, targets: OpenDirectories, report: RunReport
) -> None:
    names = frozenset(transaction.area(Area.UNDO).names(ROOT))
    for change in changes:
        old = _replaced(change, names, transaction, targets)
        if old is not None and not _is_ours(change, old):
            report.keep(change.path, old)


def _replaced(
    change: FileChange, names: frozenset[str], transaction: Transaction, targets: OpenDirectories
) -> Slot | None:
    """Return the slot of what the change replaced; one listing of `undo/` spares a look for each of 50,000 files."""
    key = str(change.number)
    if key in names:
        return Slot(transaction.area(Area.UNDO), RelPath(key))
    target = targets.find(change.path) if transaction.crossed else None
    return None if target is None else transaction.find(Area.UNDO, key, target.directory)


def _is_ours(change: FileChange, old: Slot) -> bool:
    """Tell whether what was replaced is what we had written, and no edit, not even one made while we ran."""
    stat = old.stat()
    if stat is None or stat.kind is Kind.DIRECTORY:  # a directory that was displaced was empty
        return True
    if change.stat is not None and _is_same(stat, change.stat):
        return True
    return change.ours is not None and old.entry() == change.ours


def _is_same(now: Stat, before: Stat) -> bool:
    # Not the time of the last change: a new name and a lost one are changes to the file, too.
    return (now.inode, now.size, now.modified_ns, now.executable) == (
        before.inode,
        before.size,
        before.modified_ns,
        before.executable,
    )


def _remove_emptied(removed: Iterable[RelPath], project: Directory) -> None:
    """Remove the directories that held nothing but what was removed; one that cannot be removed does no harm."""
    for directory in dict.fromkeys(parent(path) for path in removed):
        with suppress(FileSystemError, UnsafePath):
            while directory != ROOT and project.remove_directory(directory):
                directory = parent(directory)


# -- Rolling back a run that was not committed.


class _Rollback:
    """The rollback of one run, by what is on the disk alone: it needs no memory of how far the run came.

    What somebody else put at a target meanwhile is kept before the old file takes its place back; where nothing was
    before, it stays where it is.
    """

    def __init__(
        self, transaction: Transaction, targets: OpenDirectories, report: RunReport, project: Directory
    ) -> None:
        self._transaction = transaction
        self._targets = targets
        self._report = report
        self._project = project

    def undo_all(self, changes: Sequence[Change]) -> None:
        """Make every target what it was.

        Raises: RollbackIncomplete if some could not be undone; the others are, and trying again is safe.
        """
        failures: list[tuple[RelPath, AgentSyncError]] = []
        # What came goes first, and what went comes back last: a directory may have taken the place of a file.
        for change in sorted(changes, key=_is_removal):
            try:
                self._undo(change)
            except (FileSystemError, UnsafePath) as error:
                failures.append((change.path, error))
        if failures:
            raise _incomplete(failures)

    def _undo(self, change: Change) -> None:
        if isinstance(change, NewDirectory):
            self._undo_directory(change)
            return
        key = str(change.number)
        target = self._targets.find(change.path)
        old = self._find_old(change, target)
        if target is None and old is None:
            return
        target = target or self._targets.make(change.path)
        present = target.stat()
        if self._transaction.find(Area.STAGE, key, target.directory) is not None:
            if old is not None and present is None:
                old.move_to(target)  # an empty directory had been displaced already
            return
        if old is not None:
            self._put_back(change, old, target, present)
        elif change.after is not None and target.entry() == change.after:
            self._take_out(target, key, change.path, change.after)

    def _find_old(self, change: FileChange, target: Slot | None) -> Slot | None:
        directory = self._project if target is None else target.directory
        return self._transaction.find(Area.UNDO, str(change.number), directory)

    def _put_back(self, change: FileChange, old: Slot, target: Slot, present: Stat | None) -> None:
        key = str(change.number)
        if present is not None and present.kind is Kind.DIRECTORY:
            raise FileSystemError(
                subject=quoted(change.path), check="a directory is where the file was", remedy="move it away"
            )
        self._dispose(key, target, change.path, change.after)
        if present is not None:
            self._save(change, old, target, present)
        old.move_to(target)
        self._report.note_restored(change.path)
        self._dispose(key, target, change.path, change.after)

    def _save(self, change: FileChange, old: Slot, target: Slot, present: Stat) -> None:
        """Bring what is at the target into `out`: linked, or moved where the old thing could not replace it."""
        key = str(change.number)
        before = old.stat()
        if present.kind is not Kind.FILE or before is None or before.kind is not Kind.FILE:
            self._transaction.take(target, Area.OUT, key)
        elif target.entry() != change.after:
            self._transaction.link(target, Area.OUT, key)
        else:
            with suppress(FileSystemError):  # ours, it seems: on a full disk going back matters more than a late edit
                self._transaction.link(target, Area.OUT, key)

    def _take_out(self, target: Slot, key: str, path: RelPath, ours: Entry) -> None:
        """Remove the file at the target, which is the one that we wrote; an edit of the last moment is kept."""
        self._dispose(key, target, path, ours)
        try:
            self._transaction.take(target, Area.OUT, key)
        except CrossDeviceLink:
            target.directory.remove(target.name)
        self._report.note_restored(path)
        self._dispose(key, target, path, ours)

    def _dispose(self, key: str, target: Slot, path: RelPath, ours: Entry | None) -> None:
        """Remove what is in `out` under this key if it is ours, else keep it: also what an earlier attempt left."""
        out = self._transaction.find(Area.OUT, key, target.directory)
        if out is None:
            return
        if ours is not None and out.entry() == ours:
            out.directory.remove(out.name)
        else:
            self._report.keep(path, out)

    def _undo_directory(self, change: NewDirectory) -> None:
        target = self._targets.find(change.path)
        if target is None or self._transaction.find(Area.STAGE, str(change.number), target.directory) is not None:
            return
        found = target.stat()
        if found is None or found.kind is not Kind.DIRECTORY:
            return
        directories = {change.path}
        # File by file, not the directory at once: others may have put files of theirs there by now.
        for index, file in enumerate(change.files):
            path = join(change.path, file.key)
            slot = self._targets.find(path)
            if slot is not None and slot.entry() == file.entry:
                self._take_out(slot, f"{change.number}-{index}", path, file.entry)
            directories.update(_between(change.path, path))
        for directory in sorted(directories, key=len, reverse=True):
            self._project.remove_directory(directory)


def _is_removal(change: Change) -> bool:
    return isinstance(change, FileChange) and change.after is None


def _between(top: RelPath, path: RelPath) -> Iterator[RelPath]:
    """Yield the directories on the way from `path` up to `top`, both left out."""
    while (path := parent(path)) != top:
        yield path


def _incomplete(failures: Sequence[tuple[RelPath, AgentSyncError]]) -> RollbackIncomplete:
    path, first = failures[0]
    others = len(failures) - 1
    more = f", and {others} more file{'s' if others > 1 else ''}" if others else ""
    return RollbackIncomplete(
        subject=f"file {quoted(path)}{more}",
        check=f"restoring the earlier content failed: {first.check}",
        remedy=f"{first.remedy or 'remove the cause'}; then: agent-sync recover",
    )
