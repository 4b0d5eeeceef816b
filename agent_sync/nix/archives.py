"""The NAR of what a lock pins, piece by piece, its bytes verified on their way."""

from __future__ import annotations

from collections.abc import Iterator

from agent_sync.ports import Contents
from agent_sync.tree import Sha256, Tree, nar
from agent_sync.tree.packing import folders_entered


def tree_archive(tree: Tree, contents: Contents) -> Iterator[bytes]:
    """The NAR of the tree. Raises what `contents` raises."""
    yield nar.START
    here = ""
    for path, entry in tree.items():
        folder, _, name = path.rpartition("/")
        ended, begun = folders_entered(here, folder)
        here = folder
        size = contents.size(entry.sha256)
        opened = (nar.open_folder(each.rpartition("/")[2].encode()) for each in begun)
        before = nar.before_file(name.encode(), size, executable=entry.executable)
        yield b"".join((nar.CLOSE_FOLDER * ended, *opened, before))
        yield from contents.chunks(entry.sha256)
        yield nar.after_file(size)
    yield nar.CLOSE_FOLDER * folders_entered(here, "")[0] + nar.FINISH


def file_archive(sha256: Sha256, contents: Contents) -> Iterator[bytes]:
    """The NAR of a single file, which is not executable. Raises what `contents` raises."""
    size = contents.size(sha256)
    yield nar.before_alone(size)
    yield from contents.chunks(sha256)
    yield nar.after_alone(size)
