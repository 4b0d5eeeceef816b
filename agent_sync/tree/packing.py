"""Files -> one canonical tar and its Nix hash, in one pass: each byte is read once and hashed on its way through."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from agent_sync.errors import ContentMismatch
from agent_sync.escaping import shown
from agent_sync.tree import nar, tarball
from agent_sync.tree.model import Entry, Sha256, Tree
from agent_sync.tree.names import RelPath

Chunk = bytes | memoryview

_BATCH_BYTES = 1 << 18


class FileToPack(NamedTuple):
    """One file: where it goes, and its `size` bytes as chunks, which are asked for once, when it is its turn."""

    path: RelPath
    size: int
    chunks: Iterable[Chunk]
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: the files, the hash that Nix gives them, and the length of their tar in bytes."""

    tree: Tree
    nar_hash: str
    size: int


def pack(files: Iterable[FileToPack], write: Callable[[bytes], object], *, subject: str = "this tree") -> Packed:
    """The canonical tar of `files` has gone to `write`; what they are comes back. Memory is bounded by the chunks.

    `files` must come in the order of a `Tree` (`sorted_paths`); `subject` names their source in messages.

    Raises:
        ContentMismatch: a file's chunks are not `size` bytes: it changed while it was read.
        LimitExceeded: a file is 8 GiB or longer.
        ValueError: the files are not in order, or one is a folder as well.
    """
    packing = _Packing(write)
    entries: dict[RelPath, Entry] = {}
    last = ""
    for file in files:
        last = _after(last, file.path)
        packing.enter_folder_of(file.path)
        entries[file.path] = Entry(packing.add(file, subject), file.executable)
    nar_hash = packing.finish()
    return Packed(Tree.in_order(entries), nar_hash, packing.size)


def folders_entered(folder: str, next_folder: str) -> tuple[int, list[str]]:
    """On the way from one folder to the next: how many folders end, and which ones begin, outermost first.

    Folders are paths; the tree itself is the empty one.
    """
    old = folder.split("/") if folder else []
    new = next_folder.split("/") if next_folder else []
    shared = 0
    while shared < len(old) and shared < len(new) and old[shared] == new[shared]:
        shared += 1
    return len(old) - shared, ["/".join(new[: depth + 1]) for depth in range(shared, len(new))]


class _Packing:
    """A tar and a NAR that grow together; many small pieces of each are handed on as few large ones."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.size = 0
        self._write = write
        self._nar_hash = hashlib.sha256()
        self._tar_parts: list[Chunk] = []
        self._nar_parts: list[Chunk] = []
        self._held = 0
        self._folder = ""
        self._push(tarball.folder_header(b""), nar.START)

    def enter_folder_of(self, path: RelPath) -> None:
        folder = path.rpartition("/")[0]
        if folder != self._folder:
            ended, begun = folders_entered(self._folder, folder)
            self._push(b"", nar.CLOSE_FOLDER * ended)
            for each in begun:
                self._push(tarball.folder_header(each.encode()), nar.open_folder(each.rpartition("/")[2].encode()))
            self._folder = folder

    def add(self, file: FileToPack, subject: str) -> Sha256:
        path = file.path.encode()
        size = left = file.size
        self._tar_parts.append(tarball.file_header(path, size, executable=file.executable))
        self._nar_parts.append(nar.before_file(path.rpartition(b"/")[2], size, executable=file.executable))
        digest = hashlib.sha256()
        for chunk in file.chunks:
            left -= len(chunk)
            if left < 0:
                raise _changed(file, subject, f"it has more than the {size} bytes")
            digest.update(chunk)
            self._push(chunk, chunk)
        if left:
            raise _changed(file, subject, f"it has {size - left} of the {size} bytes")
        self._push(tarball.padding(size), nar.after_file(size))
        return Sha256(digest.hexdigest())

    def finish(self) -> str:
        """Both are complete; the narHash."""
        ended, _ = folders_entered(self._folder, "")
        self._push(tarball.END, nar.CLOSE_FOLDER * ended + nar.FINISH)
        self._hand_on()
        return nar.sri(self._nar_hash.digest())

    def _push(self, tar_part: Chunk, nar_part: Chunk) -> None:
        self._tar_parts.append(tar_part)
        self._nar_parts.append(nar_part)
        self._held += len(tar_part)
        if self._held >= _BATCH_BYTES:
            self._hand_on()

    def _hand_on(self) -> None:
        tar = b"".join(self._tar_parts)
        self._write(tar)
        self.size += len(tar)
        self._nar_hash.update(b"".join(self._nar_parts))
        self._tar_parts.clear()
        self._nar_parts.clear()
        self._held = 0


def _after(last: str, path: RelPath) -> str:
    """What `path` is sorted by, which comes after `last`. A file "in" a file would come right after that one."""
    key = path.replace("/", "\0")
    if key <= last or (last and key.startswith(last + "\0")):
        raise ValueError(f"files to pack are not in the order of a tree at {shown(path)}")
    return key


def _changed(file: FileToPack, subject: str, check: str) -> ContentMismatch:
    return ContentMismatch(
        subject=f"{subject}, file {shown(file.path)}",
        check=f"it changed while it was read: {check} that it had at first",
        remedy="run it again when nothing writes there",
    )
