"""Folders on the disk and in memory, with what an attacker may have left in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent_sync.adapters.folder import DiskFolder
from agent_sync.adapters.recording import RecordedFolder
from agent_sync.ports import Folder, Kind
from agent_sync.receipt.noting import Notes
from agent_sync.tree import ROOT, RelPath, join
from tests.fakes.folder import MemoryFolder

KINDS_OF_FOLDER = ("memory", "disk", "recorded")


def a_folder(kind: str, place: Path) -> Folder:
    """An empty folder of this kind; one on the disk is `place`."""
    match kind:
        case "memory":
            return MemoryFolder()
        case "recorded":
            return RecordedFolder(str(place), Notes(begun_ns=0))
        case _:
            return DiskFolder(str(place))


def put_other(folder: Folder, path: str, kind: Kind) -> None:
    """A symlink (to a folder outside), a fifo or an empty folder stands there, as somebody else would put it."""
    if isinstance(folder, MemoryFolder):
        folder.put_other(path, kind)
        return
    made = Path(folder.name, path)
    made.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case Kind.LINK:
            made.symlink_to(outside(folder))
        case Kind.OTHER:
            os.mkfifo(made)
        case Kind.FOLDER | Kind.FILE:
            made.mkdir()


def outside(folder: Folder) -> Path:
    """A folder beside the given one."""
    beside = Path(f"{folder.name}-outside")
    beside.mkdir(exist_ok=True)
    return beside


def write(folder: Folder, path: str, content: str = "text", *, executable: bool = False) -> RelPath:
    folder.create(RelPath(path), (content.encode(),), executable=executable)
    return RelPath(path)


def read(folder: Folder, path: str) -> str:
    with folder.open(RelPath(path)) as file:
        return file.read().decode(errors="replace")


def kind_of(folder: Folder, path: str) -> Kind | None:
    stat = folder.stat(RelPath(path))
    return None if stat is None else stat.kind


def files_of(folder: Folder) -> dict[str, str]:
    """Every path with its file's text (`*` in front of what is executable), or the kind of what is no file."""
    return dict(sorted(_files(folder, ROOT)))


def _files(folder: Folder, at: RelPath) -> Iterator[tuple[str, str]]:
    names = folder.names(at)
    if not names and at != ROOT:
        yield f"{at}/", ""
    for path in (join(at, RelPath(name)) for name in names):
        stat = folder.stat(path)
        assert stat is not None
        if stat.kind is Kind.FOLDER:
            yield from _files(folder, path)
        elif stat.kind is Kind.FILE:
            yield path, f"{'*' if stat.executable else ''}{read(folder, path)}"
        else:
            yield path, stat.kind.value
