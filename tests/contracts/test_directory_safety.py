"""What every Directory promises (ports.py) about symlinks, fifos and paths that lead out of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent_sync.errors import FileSystemError, UnsafePath
from agent_sync.ports import Directory, Kind
from agent_sync.tree import RelPath
from tests.builders.directories import KINDS_OF_DIRECTORY, a_directory, kind_of, put_other, write

Call = Callable[[Directory, RelPath], object]


@pytest.fixture(params=KINDS_OF_DIRECTORY)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    return a_directory(request.param, tmp_path)


EVERY_CALL: dict[str, Call] = {
    "open": lambda directory, path: directory.open(path),
    "chunks": lambda directory, path: list(directory.chunks(path)),
    "digest": lambda directory, path: directory.digest(path),
    "replace": lambda directory, path: directory.replace(path, b""),
    "link": lambda directory, path: directory.link(path, RelPath("new")),
    "names": lambda directory, path: directory.names(path),
    "make_directory": lambda directory, path: directory.make_directory(path),
    "remove_directory": lambda directory, path: directory.remove_directory(path),
    "below": lambda directory, path: directory.below(path),
    "lock": lambda directory, path: ExitStack().enter_context(directory.lock(path)),
}
BELOW_ONLY: dict[str, Call] = {
    "stat": lambda directory, path: directory.stat(path),
    "create": lambda directory, path: directory.create(path, ()),
    "open_new": lambda directory, path: directory.open_new(path),
    "rename": lambda directory, path: directory.rename(path, RelPath("new")),
    "rename to": lambda directory, path: directory.rename(RelPath("file"), path),
    "link to": lambda directory, path: directory.link(RelPath("file"), path),
    "remove": lambda directory, path: directory.remove(path),
}


@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_symlink_is_not_taken_for_what_it_points_to(directory: Directory, call: str) -> None:
    put_other(directory, "link", Kind.LINK)
    with pytest.raises(UnsafePath, match="link"):
        EVERY_CALL[call](directory, RelPath("link"))
    assert kind_of(directory, "link") is Kind.LINK


@pytest.mark.parametrize("call", EVERY_CALL | BELOW_ONLY)
def test_no_call_passes_through_a_symlink(directory: Directory, call: str) -> None:
    write(directory, "file")
    put_other(directory, "a/link", Kind.LINK)
    with pytest.raises(UnsafePath, match="link"):
        (EVERY_CALL | BELOW_ONLY)[call](directory, RelPath("a/link/b"))


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/passwd", "/x"])
@pytest.mark.parametrize("call", EVERY_CALL | BELOW_ONLY)
def test_no_call_leaves_the_directory(directory: Directory, path: str, call: str) -> None:
    write(directory, "file")
    directory.make_directory(RelPath("a"))
    with pytest.raises(UnsafePath):
        (EVERY_CALL | BELOW_ONLY)[call](directory, RelPath(path))


@pytest.mark.parametrize("call", ["open", "digest", "lock", "names", "below"])
def test_a_fifo_is_a_fault_and_blocks_nobody(directory: Directory, call: str) -> None:
    put_other(directory, "fifo", Kind.OTHER)
    assert kind_of(directory, "fifo") is Kind.OTHER
    with pytest.raises(FileSystemError):
        EVERY_CALL[call](directory, RelPath("fifo"))


def test_a_directory_is_no_file(directory: Directory) -> None:
    directory.make_directory(RelPath("a"))
    for call in ("open", "digest", "link", "lock", "replace"):
        with pytest.raises(FileSystemError):
            EVERY_CALL[call](directory, RelPath("a"))


def test_every_error_names_the_path_and_what_to_do(directory: Directory) -> None:
    write(directory, "a/file")
    with pytest.raises(FileSystemError) as caught:
        directory.create(RelPath("a/file"), ())
    assert "a/file" in caught.value.subject
    assert caught.value.check
    assert caught.value.remedy
