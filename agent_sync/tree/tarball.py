"""The canonical tar: the same tree is the same bytes on every machine (docs/reference/lockfile.md).

GNU tar writes exactly these bytes for a directory `source` whose modes are plain, up to where it pads the end:
`tar -c --format=gnu --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX source`.
Headers are made by hand because `tarfile` takes eight times as long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from agent_sync.errors import DigestMismatch, LimitExceeded
from agent_sync.tree import nar
from agent_sync.tree.model import Entry, Sha256, Tree
from agent_sync.tree.names import RelPath
from agent_sync_oci.text import quoted

# -- The canonical tar, block by block: the same tree is the same bytes on every machine (docs/reference/lockfile.md).
# GNU tar writes exactly these bytes for a directory `source` whose modes are plain, up to where it pads the end: `tar
# -c --format=gnu --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX source`. Headers are
# made by hand because `tarfile` takes eight times as long.

BLOCK = 512
TOP = b"source/"
"""The one top-level directory, and the first entry; Nix's `fetchTarball` strips it."""
END = bytes(2 * BLOCK)
MAX_SIZE = 8**11 - 1
"""The longest file that a header's eleven octal digits can tell: 8 GiB less one byte."""

_NAME_BYTES = 100
_ID = b"0000000\0"
_OWNER = _ID + _ID
_TAIL = bytes(100) + b"ustar  \0" + bytes(247)
_FILE = b"0000644\0" + _OWNER
_PROGRAM = b"0000755\0" + _OWNER
_MTIME = b"00000000001\0"
_NO_MTIME = b"00000000000\0"


def file_header(path: bytes, size: int, *, executable: bool = False) -> bytes:
    """What stands before the `size` bytes of the file at `path`, which is relative to the tree.

    Raises:
        LimitExceeded: the file is 8 GiB or longer.
    """
    if size > MAX_SIZE:
        raise LimitExceeded(
            subject=f"file {quoted(path.decode(errors='replace'))}",
            check=f"its {size} bytes do not fit into a tar of this format, which ends at {MAX_SIZE}",
            remedy="leave it out with `exclude:`",
        )
    return _entry(TOP + path, b"%011o\0" % size, _PROGRAM if executable else _FILE, b"0")


def directory_header(path: bytes) -> bytes:
    """What stands before the content of the directory at `path`; the tree itself is the empty path."""
    return _entry(TOP + path + b"/" if path else TOP, b"00000000000\0", _PROGRAM, b"5")


def padding(size: int) -> bytes:
    """The zeros that follow the `size` bytes of a file, up to the next block."""
    return _PADDING[-size % BLOCK]


def size_in(header: bytes) -> int | None:
    """The length that the last block of a file's header tells, however it is spelled; None if it tells none."""
    try:
        size = int(header[-BLOCK + 124 : -BLOCK + 135], 8)
    except ValueError:
        return None
    return size if size >= 0 else None


def header_length(path: bytes) -> int:
    """How many bytes the header of the file at `path` takes: one block, more where the name is long."""
    name_bytes = len(TOP) + len(path)
    return BLOCK if name_bytes <= _NAME_BYTES else BLOCK + _long_name_length(name_bytes)


def _entry(name: bytes, size: bytes, owner: bytes, kind: bytes) -> bytes:
    if len(name) <= _NAME_BYTES:
        return _block(name, size, owner, kind)
    return _long_name(name) + _block(name[:_NAME_BYTES], size, owner, kind)


def _long_name(name: bytes) -> bytes:
    """GNU's way to say a long name: an entry of its own, dated 1970 as GNU tar does, whose content is the name."""
    said = name + b"\0"
    head = _block(b"././@LongLink", b"%011o\0" % len(said), _FILE, b"L", mtime=_NO_MTIME)
    return head + said + padding(len(said))


def _long_name_length(name_bytes: int) -> int:
    said = name_bytes + 1
    return BLOCK + said + -said % BLOCK


def _block(name: bytes, size: bytes, owner: bytes, kind: bytes, mtime: bytes = _MTIME) -> bytes:
    # The checksum is the sum of the block's bytes, its own eight taken for spaces; only the name and the length vary.
    total = sum(name) + sum(size) + _FIXED_SUM[owner, kind, mtime]
    return b"".join((name.ljust(_NAME_BYTES, b"\0"), owner, size, mtime, b"%06o\0 " % total, kind, _TAIL))


_PADDING = tuple(bytes(length) for length in range(BLOCK))
_FIXED_SUM = {
    (owner, kind, mtime): sum(owner) + sum(kind) + sum(mtime) + sum(_TAIL) + 8 * ord(" ")
    for owner in (_FILE, _PROGRAM)
    for kind in (b"0", b"5", b"L")
    for mtime in (_MTIME, _NO_MTIME)
}


# -- Files -> one canonical tar and its Nix hash, in one pass: each byte is read once and hashed on its way through.

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
        DigestMismatch: a file's chunks are not `size` bytes: it changed while it was read.
        LimitExceeded: a file is 8 GiB or longer.
        ValueError: the files are not in order, or one is a directory as well.
    """
    packing = _Packer(write)
    entries: dict[RelPath, Entry] = {}
    last = ""
    for file in files:
        last = _next_key(last, file.path)
        packing.enter_directory_of(file.path)
        entries[file.path] = Entry(packing.add(file, subject), file.executable)
    nar_hash = packing.finish()
    return Packed(Tree.in_order(entries), nar_hash, packing.size)


def directories_entered(directory: str, next_directory: str) -> tuple[int, list[str]]:
    """On the way from one directory to the next: how many directories end, and which ones begin, outermost first.

    Directories are paths; the tree itself is the empty one.
    """
    old = directory.split("/") if directory else []
    new = next_directory.split("/") if next_directory else []
    shared = 0
    while shared < len(old) and shared < len(new) and old[shared] == new[shared]:
        shared += 1
    return len(old) - shared, ["/".join(new[: depth + 1]) for depth in range(shared, len(new))]


class _Packer:
    """A tar and a NAR that grow together; many small pieces of each are handed on as few large ones."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.size = 0
        self._write = write
        self._nar_hash = hashlib.sha256()
        self._tar_parts: list[Chunk] = []
        self._nar_parts: list[Chunk] = []
        self._held = 0
        self._directory = ""
        self._push(directory_header(b""), nar.START)

    def enter_directory_of(self, path: RelPath) -> None:
        directory = path.rpartition("/")[0]
        if directory != self._directory:
            ended, begun = directories_entered(self._directory, directory)
            self._push(b"", nar.CLOSE_DIRECTORY * ended)
            for each in begun:
                self._push(directory_header(each.encode()), nar.open_directory(each.rpartition("/")[2].encode()))
            self._directory = directory

    def add(self, file: FileToPack, subject: str) -> Sha256:
        path = file.path.encode()
        size = left = file.size
        self._tar_parts.append(file_header(path, size, executable=file.executable))
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
        self._push(padding(size), nar.after_file(size))
        return Sha256(digest.hexdigest())

    def finish(self) -> str:
        """Both are complete; the narHash."""
        ended, _ = directories_entered(self._directory, "")
        self._push(END, nar.CLOSE_DIRECTORY * ended + nar.FINISH)
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


def _next_key(last: str, path: RelPath) -> str:
    """What `path` is sorted by, which comes after `last`. A file "in" a file would come right after that one."""
    key = path.replace("/", "\0")
    if key <= last or (last and key.startswith(last + "\0")):
        raise ValueError(f"files to pack are not in the order of a tree at {quoted(path)}")
    return key


def _changed(file: FileToPack, subject: str, check: str) -> DigestMismatch:
    return DigestMismatch(
        subject=f"{subject}, file {quoted(file.path)}",
        check=f"it changed while it was read: {check} that it had at first",
        remedy="run it again when nothing writes there",
    )
