"""Observe the disk, and tell how far it has drifted from the lock (spec §9.3, §9.5).

Three trees are compared: what should be there, what was written last, and what is there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from agent_sync.errors import FileSystemError, UnsafePath
from agent_sync.lock.model import Output
from agent_sync.ports import Cancellation, Directory, Kind, Stat
from agent_sync.targets import OwnedDirectories
from agent_sync.tree import ROOT, Entry, RelPath, join, parent, sorted_paths


class Observed(NamedTuple):
    """What is on the disk: `files` are regular files with their entries and `stats`, `obstacles` anything else.

    `others` are the files in our directories that nobody asked about, in order. `blocked` are the outermost paths where
    a directory is needed and something else is in the way: nothing that belongs below counts as being there.
    """

    files: Mapping[RelPath, Entry]
    stats: Mapping[RelPath, Stat]
    obstacles: Mapping[RelPath, Kind]
    others: tuple[RelPath, ...]
    blocked: Mapping[RelPath, Kind]


NO_DIRECTORIES = OwnedDirectories({})


def observe(
    project: Directory,
    paths: Iterable[RelPath],
    *,
    directories: OwnedDirectories = NO_DIRECTORIES,
    trusting: bool = False,
    cancellation: Cancellation,
) -> Observed:
    """Return the disk as it is now: each file at these paths hashed, and other files in `directories` listed.

    With `trusting` a file that was hashed before, and that nothing has touched since, is not read again. A symbolic
    link is never followed.

    Raises: FileSystemError if something cannot be read; UnsafePath, Cancelled.
    """
    files: dict[RelPath, Entry] = {}
    stats: dict[RelPath, Stat] = {}
    obstacles: dict[RelPath, Kind] = {}
    blocked: dict[RelPath, Kind] = {}
    # By open directories: the path of 50,000 files is not walked again for each.
    for place, inside in _by_directory(paths).items():
        directory = _open_directory(project, place, blocked)
        if directory is None:
            continue
        for name, path in inside:
            cancellation.check()
            stat = directory.stat(name)
            if stat is None:
                continue
            if stat.kind is not Kind.FILE:
                obstacles[path] = stat.kind
                continue
            files[path] = Entry(directory.digest(name, trusting=trusting), stat.executable)
            stats[path] = stat
    others = [path for path in _others(project, directories, files, blocked) if path not in obstacles]
    return Observed(files, stats, obstacles, tuple(sorted_paths(others)), blocked)


def _by_directory(paths: Iterable[RelPath]) -> dict[RelPath, list[tuple[RelPath, RelPath]]]:
    """Return names and whole paths by their directory: opening each once is enough for all of its files."""
    found: dict[RelPath, list[tuple[RelPath, RelPath]]] = {}
    for path in paths:
        place, _, name = path.rpartition("/")
        found.setdefault(RelPath(place), []).append((RelPath(name), path))
    return found


def _open_directory(project: Directory, place: RelPath, blocked: dict[RelPath, Kind]) -> Directory | None:
    """Return the directory at `place`; None if there is none. Whatever is in the way instead is put in `blocked`."""
    if not place:
        return project
    try:
        stat = project.stat(place)
    except (UnsafePath, FileSystemError):  # raised also where a parent is a link or a file, which is no fault here
        if not _note_blocker(project, parent(place), blocked):
            raise
        return None
    if stat is not None and stat.kind is not Kind.DIRECTORY:
        blocked[place] = stat.kind
        return None
    return None if stat is None else project.below(place)


def _note_blocker(project: Directory, place: RelPath, blocked: dict[RelPath, Kind]) -> bool:
    """Tell whether something else is where the directory `place` or a parent should be, and note the outermost."""
    if place in blocked or (place != ROOT and _note_blocker(project, parent(place), blocked)):
        return True
    stat = project.stat(place)
    if stat is None or stat.kind is Kind.DIRECTORY:
        return False
    blocked[place] = stat.kind
    return True


def _others(
    project: Directory, directories: OwnedDirectories, files: Container[RelPath], blocked: dict[RelPath, Kind]
) -> Iterator[RelPath]:
    for place in directories.outermost():
        directory = _open_directory(project, place, blocked)
        if directory is not None:
            yield from _below(directory, place, files)


def _below(directory: Directory, place: RelPath, files: Container[RelPath]) -> Iterator[RelPath]:
    """Yield every path below `place` that is no directory and not among `files`; a symbolic link is not followed."""
    # No recursion: whoever left directories there may have nested them deeper than a stack goes.
    waiting = [(directory, ROOT, place)]
    while waiting:
        above, here, place = waiting.pop()
        directory = above if here == ROOT else above.below(here)
        for name in map(RelPath, directory.names(ROOT)):
            path = join(place, name)
            if path in files:
                continue
            stat = directory.stat(name)
            if stat is not None and stat.kind is Kind.DIRECTORY:
                waiting.append((directory, name, path))
            elif stat is not None:
                yield path


def all_paths(*sets: Iterable[RelPath]) -> list[RelPath]:
    """Return every path of these, once, in order."""
    return sorted_paths({path for each in sets for path in each})


# -- Drift.


class State(Enum):
    """How far a source's files are what they should be (spec §9.5), from best to worst but for `pending`.

    `pending`: sync will write or change a file; `missing`: a file that was written is gone; `drifted`: somebody else
    changed one.
    """

    SYNCED = "synced"
    PENDING = "pending"
    MISSING = "missing"
    DRIFTED = "drifted"


class Drift(NamedTuple):
    """Where the disk differs from the desired outputs; all paths in order.

    `changed` and `missing` are outputs; `orphaned` are files of an earlier lock that are still there; `unexpected` are
    files in directories that are ours alone; `foreign` are files in directories that are shared, which is no drift
    unless strict.
    """

    changed: tuple[RelPath, ...]
    missing: tuple[RelPath, ...]
    orphaned: tuple[RelPath, ...]
    unexpected: tuple[RelPath, ...]
    foreign: tuple[RelPath, ...]

    def clean(self, *, strict: bool) -> bool:
        """Tell whether everything is as it should be."""
        found = self.changed or self.missing or self.orphaned or self.unexpected or (strict and self.foreign)
        return not found


def drift(
    desired: Mapping[RelPath, Output], observed: Observed, *, orphans: Iterable[RelPath], directories: OwnedDirectories
) -> Drift:
    """Return how what is there differs from what should be there."""
    others = observed.others
    return Drift(
        changed=tuple(path for path, output in desired.items() if _differs(path, output, observed)),
        missing=tuple(path for path in desired if path not in observed.files and path not in observed.obstacles),
        orphaned=tuple(path for path in orphans if path in observed.files or path in observed.obstacles),
        unexpected=tuple(path for path in others if not directories.is_shared(path)),
        foreign=tuple(path for path in others if directories.is_shared(path)),
    )


def _differs(path: RelPath, output: Output, observed: Observed) -> bool:
    return path in observed.obstacles or (path in observed.files and observed.files[path] != output.entry)


def state_of(outputs: Mapping[RelPath, Entry], recorded: Mapping[RelPath, Entry], observed: Observed) -> State:
    """Return the state of one source whose outputs these are; the worst file decides."""
    states = {_file_state(path, entry, recorded.get(path), observed) for path, entry in outputs.items()}
    return next((state for state in (State.DRIFTED, State.MISSING, State.PENDING) if state in states), State.SYNCED)


def _file_state(path: RelPath, desired: Entry, written: Entry | None, observed: Observed) -> State:
    actual = observed.files.get(path)
    if actual == desired:
        return State.SYNCED
    if path in observed.obstacles:
        return State.DRIFTED
    if actual is None:
        return State.MISSING if written == desired else State.PENDING
    return State.PENDING if actual == written else State.DRIFTED
