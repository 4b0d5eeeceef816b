"""What lies on the disk at the paths that matter, and what else lies in our folders."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent_sync.ports import Cancellation, Folder, Kind, Stat
from agent_sync.targets import OwnedFolders
from agent_sync.tree import ROOT, Entry, RelPath, join, sorted_paths


@dataclass(frozen=True, slots=True)
class Observed:
    """`files` are regular files with their entries and `stats`; `obstacles` are paths where something else stands.

    `others` are the files in our folders that nobody asked about, in order.
    """

    files: Mapping[RelPath, Entry]
    stats: Mapping[RelPath, Stat]
    obstacles: Mapping[RelPath, Kind]
    others: tuple[RelPath, ...]


NO_FOLDERS = OwnedFolders({})


def observe(
    project: Folder,
    paths: Iterable[RelPath],
    *,
    folders: OwnedFolders = NO_FOLDERS,
    trusting: bool = False,
    cancellation: Cancellation,
) -> Observed:
    """The disk as it is now: each file at these paths is read and hashed, and `folders` are looked through for others.

    With `trusting` a file that was hashed before, and that nothing has touched since, is not read again.

    Raises: UnsafePath if a path passes through a symbolic link, FileFault if it passes through a file or cannot be
        read.
    """
    files: dict[RelPath, Entry] = {}
    stats: dict[RelPath, Stat] = {}
    obstacles: dict[RelPath, Kind] = {}
    for place, inside in _by_folder(paths).items():
        folder = _folder_at(project, place)
        for name, path in inside:
            cancellation.check()
            # Where no folder stands, asking for the whole path says what that means for it.
            stat = project.stat(path) if folder is None else folder.stat(name)
            if stat is None or folder is None:
                continue
            if stat.kind is not Kind.FILE:
                obstacles[path] = stat.kind
                continue
            files[path] = Entry(folder.digest(name, trusting=trusting), stat.executable)
            stats[path] = stat
    others = [path for path in _others(project, folders, files) if path not in obstacles]
    return Observed(files, stats, obstacles, tuple(sorted_paths(others)))


def _by_folder(paths: Iterable[RelPath]) -> dict[RelPath, list[tuple[RelPath, RelPath]]]:
    """Names and whole paths by the folder they lie in: walking there once is enough for all of its files."""
    found: dict[RelPath, list[tuple[RelPath, RelPath]]] = {}
    for path in paths:
        place, _, name = path.rpartition("/")
        found.setdefault(RelPath(place), []).append((RelPath(name), path))
    return found


def _folder_at(project: Folder, place: RelPath) -> Folder | None:
    """The folder; None if there is none at that place."""
    if not place:
        return project
    stat = project.stat(place)
    return project.below(place) if stat is not None and stat.kind is Kind.FOLDER else None


def _others(project: Folder, folders: OwnedFolders, files: Container[RelPath]) -> Iterator[RelPath]:
    for place in folders.outermost():
        folder = _folder_at(project, place)
        if folder is not None:
            yield from _below(folder, place, files)


def _below(folder: Folder, place: RelPath, files: Container[RelPath]) -> Iterator[RelPath]:
    """Every path below `place` that is no folder and not among `files`; a symbolic link is itself, and not followed.

    Without recursion: whoever left folders there may have nested them deeper than a stack goes.
    """
    waiting = [(folder, ROOT, place)]
    while waiting:
        above, here, place = waiting.pop()
        folder = above if here == ROOT else above.below(here)
        for name in map(RelPath, folder.names(ROOT)):
            path = join(place, name)
            if path in files:
                continue
            stat = folder.stat(name)
            if stat is not None and stat.kind is Kind.FOLDER:
                waiting.append((folder, name, path))
            elif stat is not None:
                yield path


def all_paths(*sets: Iterable[RelPath]) -> list[RelPath]:
    """Every path of these, once, in order."""
    return sorted_paths({path for each in sets for path in each})
