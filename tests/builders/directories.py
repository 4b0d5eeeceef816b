"""Directories on the disk and in memory, with what an attacker may have left in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.adapters.recording import RecordedDirectory
from agent_sync.ports import Directory, Kind
from agent_sync.receipt.recorder import Recorder
from agent_sync.tree import ROOT, RelPath, join
from tests.fakes.directory import MemoryDirectory

KINDS_OF_DIRECTORY = ("memory", "disk", "recorded")


def a_directory(kind: str, place: Path) -> Directory:
    """An empty directory of this kind; one on the disk is `place`."""
    match kind:
        case "memory":
            return MemoryDirectory()
        case "recorded":
            return RecordedDirectory(str(place), Recorder(started_ns=0))
        case _:
            return DiskDirectory(str(place))


def put_other(directory: Directory, path: str, kind: Kind) -> None:
    """A symlink (to a directory outside), a fifo or an empty directory stands there, as somebody else would put it."""
    if isinstance(directory, MemoryDirectory):
        directory.put_other(path, kind)
        return
    made = Path(directory.name, path)
    made.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case Kind.LINK:
            made.symlink_to(outside(directory))
        case Kind.OTHER:
            os.mkfifo(made)
        case Kind.DIRECTORY | Kind.FILE:
            made.mkdir()


def outside(directory: Directory) -> Path:
    """A directory beside the given one."""
    beside = Path(f"{directory.name}-outside")
    beside.mkdir(exist_ok=True)
    return beside


def write(directory: Directory, path: str, content: str = "text", *, executable: bool = False) -> RelPath:
    directory.create(RelPath(path), (content.encode(),), executable=executable)
    return RelPath(path)


def read(directory: Directory, path: str) -> str:
    with directory.open(RelPath(path)) as file:
        return file.read().decode(errors="replace")


def kind_of(directory: Directory, path: str) -> Kind | None:
    stat = directory.stat(RelPath(path))
    return None if stat is None else stat.kind


def files_of(directory: Directory) -> dict[str, str]:
    """Every path with its file's text (`*` in front of what is executable), or the kind of what is no file."""
    return dict(sorted(_files(directory, ROOT)))


def _files(directory: Directory, at: RelPath) -> Iterator[tuple[str, str]]:
    names = directory.names(at)
    if not names and at != ROOT:
        yield f"{at}/", ""
    for path in (join(at, RelPath(name)) for name in names):
        stat = directory.stat(path)
        assert stat is not None
        if stat.kind is Kind.DIRECTORY:
            yield from _files(directory, path)
        elif stat.kind is Kind.FILE:
            yield path, f"{'*' if stat.executable else ''}{read(directory, path)}"
        else:
            yield path, stat.kind.value
