"""Writing everything new into the transaction, verified: a full disk or bad blob is met before a target is touched."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync.apply.journal import Change, NewDirectory
from agent_sync.apply.survey import add_error_context
from agent_sync.apply.transaction import Area, Transaction
from agent_sync.errors import AgentSyncError
from agent_sync.events import Observer, Progressed
from agent_sync.ports import Cancellation, Contents, Directory
from agent_sync.tree import Entry, RelPath, join

_REPORT_EVERY = 256


class Staging:
    """Stages the changes of one run."""

    def __init__(self, contents: Contents, *, observer: Observer, cancellation: Cancellation) -> None:
        self._contents = contents
        self._observer = observer
        self._cancellation = cancellation
        self._done = 0
        self._total = 0

    def stage(self, changes: Sequence[Change], transaction: Transaction) -> None:
        """Every file that is to come lies in the transaction.

        Raises: FileSystemError, BlobCorrupt, BytesUnavailable, Cancelled; no target has changed then.
        """
        self._total = sum(_weight(change) for change in changes)
        stage = transaction.room(Area.STAGE)
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


def _weight(change: Change) -> int:
    """How many files have to be written for it."""
    return len(change.files) if isinstance(change, NewDirectory) else int(change.after is not None)
