"""What every Folder promises (ports.py) about symlinks, fifos and paths that lead out of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent_sync.errors import FileFault, UnsafePath
from agent_sync.ports import Folder, Kind
from agent_sync.tree import RelPath
from tests.builders.folders import KINDS_OF_FOLDER, a_folder, kind_of, put_other, write

Call = Callable[[Folder, RelPath], object]


@pytest.fixture(params=KINDS_OF_FOLDER)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return a_folder(request.param, tmp_path)


EVERY_CALL: dict[str, Call] = {
    "open": lambda folder, path: folder.open(path),
    "chunks": lambda folder, path: list(folder.chunks(path)),
    "digest": lambda folder, path: folder.digest(path),
    "replace": lambda folder, path: folder.replace(path, b""),
    "link": lambda folder, path: folder.link(path, RelPath("new")),
    "names": lambda folder, path: folder.names(path),
    "make_folder": lambda folder, path: folder.make_folder(path),
    "remove_folder": lambda folder, path: folder.remove_folder(path),
    "below": lambda folder, path: folder.below(path),
    "lock": lambda folder, path: ExitStack().enter_context(folder.lock(path)),
}
BELOW_ONLY: dict[str, Call] = {
    "stat": lambda folder, path: folder.stat(path),
    "create": lambda folder, path: folder.create(path, ()),
    "open_new": lambda folder, path: folder.open_new(path),
    "rename": lambda folder, path: folder.rename(path, RelPath("new")),
    "rename to": lambda folder, path: folder.rename(RelPath("file"), path),
    "link to": lambda folder, path: folder.link(RelPath("file"), path),
    "remove": lambda folder, path: folder.remove(path),
}


@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_symlink_is_not_taken_for_what_it_points_to(folder: Folder, call: str) -> None:
    put_other(folder, "link", Kind.LINK)
    with pytest.raises(UnsafePath, match="link"):
        EVERY_CALL[call](folder, RelPath("link"))
    assert kind_of(folder, "link") is Kind.LINK


@pytest.mark.parametrize("call", EVERY_CALL | BELOW_ONLY)
def test_no_call_passes_through_a_symlink(folder: Folder, call: str) -> None:
    write(folder, "file")
    put_other(folder, "a/link", Kind.LINK)
    with pytest.raises(UnsafePath, match="link"):
        (EVERY_CALL | BELOW_ONLY)[call](folder, RelPath("a/link/b"))


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/passwd", "/x"])
@pytest.mark.parametrize("call", EVERY_CALL | BELOW_ONLY)
def test_no_call_leaves_the_folder(folder: Folder, path: str, call: str) -> None:
    write(folder, "file")
    folder.make_folder(RelPath("a"))
    with pytest.raises(UnsafePath):
        (EVERY_CALL | BELOW_ONLY)[call](folder, RelPath(path))


@pytest.mark.parametrize("call", ["open", "digest", "lock", "names", "below"])
def test_a_fifo_is_a_fault_and_blocks_nobody(folder: Folder, call: str) -> None:
    put_other(folder, "fifo", Kind.OTHER)
    assert kind_of(folder, "fifo") is Kind.OTHER
    with pytest.raises(FileFault):
        EVERY_CALL[call](folder, RelPath("fifo"))


def test_a_folder_is_no_file(folder: Folder) -> None:
    folder.make_folder(RelPath("a"))
    for call in ("open", "digest", "link", "lock", "replace"):
        with pytest.raises(FileFault):
            EVERY_CALL[call](folder, RelPath("a"))


def test_every_error_names_the_path_and_what_to_do(folder: Folder) -> None:
    write(folder, "a/file")
    with pytest.raises(FileFault) as caught:
        folder.create(RelPath("a/file"), ())
    assert "a/file" in caught.value.subject
    assert caught.value.check
    assert caught.value.remedy
