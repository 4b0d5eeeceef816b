"""Account: what one run kept and what it put back, also if it took several attempts to get that far."""

from __future__ import annotations

from agent_sync.apply.spots import Spot
from agent_sync.checkout import Kept, KeptEdit
from agent_sync.events import EditKept, Observer
from agent_sync.tree import RelPath, sorted_paths


class Account:
    """Notes what happens to targets besides the plan."""

    def __init__(self, kept: Kept, *, observer: Observer, now_s: float) -> None:
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

    def keep(self, path: RelPath, spot: Spot) -> None:
        """What stands at `spot`, an edit of `path`, is in `kept/` before it is lost, and everybody is told."""
        edit = self._home.take(path, name=spot.name, folder=spot.folder, now_s=self._now_s)
        self._kept.append(edit)
        self._observer(EditKept(path, edit.place))

    def note_restored(self, path: RelPath) -> None:
        """This target is as it was."""
        self._restored.add(path)
