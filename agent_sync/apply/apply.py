"""Apply a plan: the targets become what it says, or everything is as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent_sync.apply.recover import RunReport, defer_signals, finalize, is_interrupted, recover_run
from agent_sync.apply.survey import add_change_context, add_error_context, survey
from agent_sync.apply.transaction import (
    Area,
    Change,
    FileChange,
    NewDirectory,
    OpenDirectories,
    Slot,
    Transaction,
    write_journal,
)
from agent_sync.checkout import Checkout, KeptEdit
from agent_sync.errors import AgentSyncError, FileSystemError, RollbackIncomplete, UnsafePath
from agent_sync.events import FileRemoved, FileWritten, Observer, Progressed, RolledBack, Warned
from agent_sync.plan.actions import Plan
from agent_sync.ports import Cancellation, Contents, Directory, Kind, World
from agent_sync.ports.files import levels
from agent_sync.tree import Entry, RelPath, join, sorted_paths
from agent_sync_oci.text import quoted

_RECOVER = "agent-sync recover"


class Applied(NamedTuple):
    """A plan that was applied: the targets that were written and removed, in order, and the edits kept."""

    written: tuple[RelPath, ...] = ()
    removed: tuple[RelPath, ...] = ()
    kept: tuple[KeptEdit, ...] = ()


def apply(plan: Plan, contents: Contents, checkout: Checkout, world: World, *, applied_lock: bytes) -> Applied:
    """Make the targets what the plan says and remember `applied_lock`, or change nothing.

    The caller holds the project (`Checkout.hold`) and has recovered it. The steps: 1 survey what is in the way; 2 stage
    everything new; 3 write the journal; 4 give each target one rename; 5 commit with one rename; 6 keep what was
    edited, and clear the transaction away.

    Raises:
        UnsafePath, FileSystemError, LimitExceeded, BlobCorrupt, BytesUnavailable, Cancelled: nothing has changed, or
            all of it is rolled back.
        RollbackIncomplete: a target could not be rolled back; the journal stays for `recover`.
    """
    _refuse_interrupted(checkout)
    now_s = world.clock.now_s()
    changes = survey(plan, world.project, now_s=now_s)
    if not changes:
        checkout.applied.write(applied_lock)
        return Applied()
    identity = f"{int(abs(now_s) * 1e6):x}"
    transaction = Transaction.begin(checkout, identity)
    report = RunReport(checkout.kept, observer=world.observer, now_s=now_s)
    try:
        _Staging(contents, observer=world.observer, cancellation=world.cancellation).stage(changes, transaction)
        transaction.open(write_journal(identity, changes), applied_lock=applied_lock)
        _execute_all(changes, transaction, OpenDirectories(world.project), cancellation=world.cancellation)
        transaction.commit()
    except BaseException as error:  # Ctrl-C is one of the ways to fail half-way
        _roll_back(error, changes, transaction, report, world)
        raise
    _, interrupt = defer_signals(lambda: _finalize(changes, transaction, report, world))
    applied = _announce(changes, report, world.observer)
    if interrupt is not None:
        raise interrupt
    return applied


def _refuse_interrupted(checkout: Checkout) -> None:
    if is_interrupted(checkout):
        raise RollbackIncomplete(
            subject=f"project {quoted(checkout.directory.name)}",
            check="a sync was interrupted here",
            remedy=f"undo it: {_RECOVER}",
        )


# -- Staging: everything new is written and verified first, so a full disk or a bad blob is met before any target.

_REPORT_EVERY = 256


class _Staging:
    """The staging of one run's changes."""

    def __init__(self, contents: Contents, *, observer: Observer, cancellation: Cancellation) -> None:
        self._contents = contents
        self._observer = observer
        self._cancellation = cancellation
        self._done = 0
        self._total = 0

    def stage(self, changes: Sequence[Change], transaction: Transaction) -> None:
        """Write every new file into the transaction.

        Raises: FileSystemError, BlobCorrupt, BytesUnavailable, Cancelled; no target has changed then.
        """
        self._total = sum(_file_count(change) for change in changes)
        stage = transaction.area(Area.STAGE)
        for change in changes:
            name = RelPath(str(change.number))
            if isinstance(change, NewDirectory):
                self._stage_directory(change, name, stage)
            elif change.after is not None:
                self._write(name, stage, change.after, source=change.source, target=change.path)
        self._observer(Progressed("write", self._total, self._total))

    def _stage_directory(self, change: NewDirectory, top: RelPath, stage: Directory) -> None:
        opened = None
        here = stage
        # Files come in tree order, so one open directory serves all of its files.
        for key, entry, source in change.files:
            directory, _, name = key.rpartition("/")
            if directory != opened:
                place = join(top, RelPath(directory)) if directory else top
                stage.make_directory(place)
                here, opened = stage.below(place), directory
            self._write(RelPath(name), here, entry, source=source, target=f"{change.path}/{key}")

    def _write(self, name: RelPath, directory: Directory, entry: Entry, *, source: str, target: str) -> None:
        self._cancellation.check()
        if self._done % _REPORT_EVERY == 0:
            self._observer(Progressed("write", self._done, self._total))
        self._done += 1
        try:
            directory.create(name, self._contents.chunks(entry.sha256), executable=entry.executable)
        except AgentSyncError as error:
            add_error_context(error, source, target)
            raise


def _file_count(change: Change) -> int:
    """Return how many files have to be written for the change."""
    return len(change.files) if isinstance(change, NewDirectory) else int(change.after is not None)


# -- Execution: first what is removed, then what comes, each by one rename.


def _execute_all(
    changes: Sequence[Change], transaction: Transaction, targets: OpenDirectories, *, cancellation: Cancellation
) -> None:
    """Execute every change; what was at the targets is in the transaction then.

    Raises: UnsafePath, FileSystemError, Cancelled; some changes are made then and have to be rolled back.
    """
    removals = [change for change in changes if isinstance(change, FileChange) and change.after is None]
    writes = [change for change in changes if isinstance(change, NewDirectory) or change.after is not None]
    for change in (*removals, *writes):  # a file that is removed may be where a directory has to come
        cancellation.check()
        try:
            _execute(change, transaction, targets.slot(change.path))
        except AgentSyncError as error:
            add_change_context(error, change)
            raise


def _execute(change: Change, transaction: Transaction, target: Slot) -> None:
    key = str(change.number)
    # Once more, now by the descriptor that the change itself goes through: staging may have taken minutes.
    stat = target.stat()
    if isinstance(change, NewDirectory):
        if stat is not None:
            raise _moved_meanwhile(change, "another file or directory was put there")
        transaction.place(key, target)
        return
    if stat is not None:
        _back_up(change, transaction, target, stat.kind)
    if change.after is not None:
        transaction.place(key, target)


def _back_up(change: FileChange, transaction: Transaction, target: Slot, kind: Kind) -> None:
    """Bring what is at the target into the transaction."""
    key = str(change.number)
    if kind is Kind.FILE and change.after is not None:
        # A second name, not a rename: whoever reads the target sees the old file or the new one, and never none. What
        # an editor still writes into the old one, we find there. (One that renames a new file over it in the
        # microseconds until we do wins nothing: without a swapping rename no program can rule that out.)
        transaction.link(target, Area.UNDO, key)
    elif kind is Kind.FILE:
        transaction.take(target, Area.UNDO, key)
    elif kind is Kind.DIRECTORY and change.after is not None:
        _displace(change, transaction, target)
    else:
        raise _moved_meanwhile(change, f"a {kind.value} was put there", link=kind is Kind.LINK)


def _displace(change: FileChange, transaction: Transaction, target: Slot) -> None:
    """Set the directory at the target aside; all that was ours in it has been taken out before.

    Raises: FileSystemError if there still is a file in it.
    """
    transaction.take(target, Area.UNDO, str(change.number))
    directory = transaction.find(Area.UNDO, str(change.number), target.directory)
    assert directory is not None
    for level in levels(directory.name, directory=directory.directory):
        for name, stat in level.inside:
            if transaction.is_beside(name):  # it would go with the directory, out of the reach of a rollback
                raise FileSystemError(
                    subject=quoted(change.path),
                    check="a directory on another file system is in the way, and files in it must be kept",
                    remedy="remove that directory, then rerun the command",
                )
            if stat.kind is not Kind.DIRECTORY:
                raise _moved_meanwhile(change, f"{quoted(name)} was put into the directory there")


def _moved_meanwhile(change: Change, what: str, *, link: bool = False) -> AgentSyncError:
    family = UnsafePath if link else FileSystemError
    return family(subject=quoted(change.path), check=f"{what} while the sync ran", remedy="rerun the command")


# -- The end of a run: rolled back, or finalized and announced.


def _roll_back(
    error: BaseException, changes: Sequence[Change], transaction: Transaction, report: RunReport, world: World
) -> None:
    """Roll back the run that failed with `error`; Ctrl-C pressed once more does not stop that."""
    try:
        recovered, interrupt = defer_signals(lambda: recover_run(changes, transaction, report, project=world.project))
    except AgentSyncError as failure:
        raise RollbackIncomplete(
            subject=failure.subject,
            check=f"{failure.check}; this was to be undone because of: {str(error) or type(error).__name__}",
            remedy=failure.remedy if isinstance(failure, RollbackIncomplete) else f"remove the cause; then: {_RECOVER}",
        ) from failure
    if recovered.restored:
        world.observer(RolledBack(recovered.restored))
    if interrupt is not None:
        raise interrupt


def _finalize(changes: Sequence[Change], transaction: Transaction, report: RunReport, world: World) -> None:
    """Finalize a committed run. It counts whatever happens here, so a failure is a warning."""
    try:
        finalize(changes, transaction, OpenDirectories(world.project), report, project=world.project)
    except (FileSystemError, UnsafePath) as error:
        message = (
            f"every file is written, but cleaning up failed: {error.check}; the next command does it, or {_RECOVER}"
        )
        world.observer(Warned("unfinished", error.subject, message))


def _announce(changes: Sequence[Change], report: RunReport, observer: Observer) -> Applied:
    written = sorted_paths(_written(changes))
    removed = [change.path for change in changes if isinstance(change, FileChange) and change.after is None]
    for path in removed:
        observer(FileRemoved(path))
    for path in written:
        observer(FileWritten(path))
    return Applied(tuple(written), tuple(removed), report.kept)


def _written(changes: Sequence[Change]) -> list[RelPath]:
    paths: list[RelPath] = []
    for change in changes:
        if isinstance(change, NewDirectory):
            paths.extend(join(change.path, file.key) for file in change.files)
        elif change.after is not None:
            paths.append(change.path)
    return paths
