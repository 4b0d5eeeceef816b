"""Spot: one name in a folder that is held open, so that no swap of a folder on the way to it can lead elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from agent_sync.ports import Folder, Kind, Stat
from agent_sync.tree import Entry, RelPath, parent


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for one file or folder."""

    folder: Folder
    name: RelPath

    def stat(self) -> Stat | None:
        """What stands here."""
        return self.folder.stat(self.name)

    def entry(self) -> Entry | None:
        """The file that stands here, read and hashed; None if none does."""
        stat = self.stat()
        if stat is None or stat.kind is not Kind.FILE:
            return None
        return Entry(self.folder.digest(self.name), stat.executable)

    def move_to(self, other: Spot) -> None:
        """What stands here stands there."""
        self.folder.rename(self.name, other.name, into=other.folder)

    def link_to(self, other: Spot) -> None:
        """The file that stands here stands there as well."""
        self.folder.link(self.name, other.name, into=other.folder)


class Targets:
    """The spots of targets. The folder of the last one stays open: its neighbours follow."""

    def __init__(self, project: Folder) -> None:
        self._project = project
        self._path: RelPath | None = None
        self._folder = project

    def spot(self, path: RelPath) -> Spot:
        """The spot of this target; the folder it is in stands there.

        Raises: UnsafePath, FileFault.
        """
        folder = parent(path)
        if folder != self._path:
            self._path = None
            self._folder = self._project.below(folder)
            self._path = folder
        return Spot(self._folder, RelPath(path.rpartition("/")[2]))

    def find(self, path: RelPath) -> Spot | None:
        """The same, or None if the folder is missing."""
        folder = parent(path)
        if folder != self._path:
            stat = self._project.stat(folder)
            if stat is None or stat.kind is Kind.FILE:
                return None
        return self.spot(path)

    def make(self, path: RelPath) -> Spot:
        """The same; the folder is made if it is missing."""
        found = self.find(path)
        if found is None:
            self._project.make_folder(parent(path))
        return found or self.spot(path)
