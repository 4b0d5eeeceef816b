"""The canonical tar: the same tree is the same bytes on every machine (docs/reference/lockfile.md).

GNU tar writes exactly these bytes for a directory `source` whose modes are plain, up to where it pads the end:
`tar -c --format=gnu --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX source`.
Its headers and its order are here once; whoever writes, receives or looks into such a tar walks it with `TarWalk`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agent_sync.errors import DigestMismatch, LimitExceeded
from agent_sync.tree import nar
from agent_sync.tree.model import Entry, Sha256, Tree
from agent_sync.tree.names import RelPath
from agent_sync_oci.text import quoted

Chunk = bytes | memoryview

BLOCK = 512
TOP = b"source/"
"""The one top-level directory, and the first entry; Nix's `fetchTarball` strips it."""
END = bytes(2 * BLOCK)
MAX_SIZE = 8**11 - 1
"""The size of the largest file that a header's eleven octal digits can express: 8 GiB less one byte."""

_BATCH_BYTES = 1 << 18
_NAME_BYTES = 100
_ID = b"0000000\0"
_OWNER = _ID + _ID
_TAIL = bytes(100) + b"ustar  \0" + bytes(247)
_FILE = b"0000644\0" + _OWNER
_PROGRAM = b"0000755\0" + _OWNER
_MTIME = b"00000000001\0"
_NO_MTIME = b"00000000000\0"


# -- headers ---------------------------------------------------------------------------------------------------------
# They are made by hand because `tarfile` takes eight times as long.


def file_header(path: bytes, size: int, *, executable: bool = False) -> bytes:
    """Return the header of the file at `path`, relative to the tree, with `size` bytes.

    Raises:
        LimitExceeded: the file is 8 GiB or larger.
    """
    if size > MAX_SIZE:
        raise LimitExceeded(
            subject=f"file {quoted(path.decode(errors='replace'))}",
            check=f"{size} bytes do not fit into a tar of this format, which ends at {MAX_SIZE}",
            remedy="leave the file out with `exclude:`",
        )
    return _entry(TOP + path, b"%011o\0" % size, _PROGRAM if executable else _FILE, b"0")


def directory_header(path: bytes) -> bytes:
    """Return the header of the directory at `path`; the tree itself is the empty path."""
    return _entry(TOP + path + b"/" if path else TOP, b"00000000000\0", _PROGRAM, b"5")


def padding(size: int) -> bytes:
    """Return the zeros that follow the `size` bytes of a file, up to the next block."""
    return _PADDING[-size % BLOCK]


def size_in(header: bytes) -> int | None:
    """Return the size in the last block of a file's header, however it is spelled; None if there is none."""
    try:
        size = int(header[-BLOCK + 124 : -BLOCK + 135], 8)
    except ValueError:
        return None
    return size if size >= 0 else None


def match_header(found: bytes, before: bytes, path: bytes, *, executable: bool) -> int | None:
    """Return the size of the file at `path` if `found` is `before` and its header, byte for byte; None if not."""
    size = size_in(found)
    if size is None or size > MAX_SIZE or found != before + file_header(path, size, executable=executable):
        return None
    return size


def header_length(path: bytes) -> int:
    """Return the length in bytes of the header of the file at `path`: one block, more where the name is long."""
    name_bytes = len(TOP) + len(path)
    return BLOCK if name_bytes <= _NAME_BYTES else BLOCK + _long_name_length(name_bytes)


def _entry(name: bytes, size: bytes, owner: bytes, kind: bytes) -> bytes:
    if len(name) <= _NAME_BYTES:
        return _block(name, size, owner, kind)
    return _long_name(name) + _block(name[:_NAME_BYTES], size, owner, kind)


def _long_name(name: bytes) -> bytes:
    """Return GNU's entry for a long name, dated 1970 as GNU tar does, whose content is the name."""
    content = name + b"\0"
    header = _block(b"././@LongLink", b"%011o\0" % len(content), _FILE, b"L", mtime=_NO_MTIME)
    return header + content + padding(len(content))


def _long_name_length(name_bytes: int) -> int:
    content_bytes = name_bytes + 1
    return BLOCK + content_bytes + -content_bytes % BLOCK


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


# -- order -----------------------------------------------------------------------------------------------------------


class TarWalk:
    """The way through a canonical tar and the NAR of the same tree, in the order of the tree's files.

    Directories have entries in both, and files do not say where those are: depth first, before the first file in them.
    """

    def __init__(self) -> None:
        self._directory: str | None = None  # None: the tree's own directory was not entered yet

    def enter(self, path: RelPath) -> tuple[bytes, bytes]:
        """Return what the tar and the NAR have for directories between the file before and the file at `path`."""
        directory = path.rpartition("/")[0]
        return _NOTHING if directory == self._directory else self._go(directory)

    def finish(self) -> tuple[bytes, bytes]:
        """Return what the tar and the NAR have after the last file."""
        tar, nar_part = self._go("")
        return tar + END, nar_part + nar.FINISH

    def _go(self, directory: str) -> tuple[bytes, bytes]:
        tar, nar_part = (directory_header(b""), nar.START) if self._directory is None else _NOTHING
        old = self._directory.split("/") if self._directory else []
        new = directory.split("/") if directory else []
        self._directory = directory
        shared = 0
        while shared < len(old) and shared < len(new) and old[shared] == new[shared]:
            shared += 1
        nar_part += nar.CLOSE_DIRECTORY * (len(old) - shared)
        for depth in range(shared, len(new)):
            tar += directory_header("/".join(new[: depth + 1]).encode())
            nar_part += nar.open_directory(new[depth].encode())
        return tar, nar_part


_NOTHING = (b"", b"")


# -- packing ---------------------------------------------------------------------------------------------------------


class FileToPack(NamedTuple):
    """One file: its path, and its `size` bytes as chunks, which are asked for once, when it is its turn."""

    path: RelPath
    size: int
    chunks: Iterable[Chunk]
    executable: bool = False


class Packed(NamedTuple):
    """A tree, its narHash, and the length of its tar in bytes."""

    tree: Tree
    nar_hash: str
    size: int


def pack(files: Iterable[FileToPack], write: Callable[[bytes], object], *, subject: str = "this tree") -> Packed:
    """Write the canonical tar of `files`, and return what they are. Memory is bounded by the chunks.

    Each byte is read once and hashed on its way. `files` must come in the order of a `Tree` (`sorted_paths`);
    `subject` names their source in messages.

    Raises:
        DigestMismatch: a file's chunks are not `size` bytes: it changed while it was read.
        LimitExceeded: a file is 8 GiB or larger.
        ValueError: the files are not in order, or one is a directory as well.
    """
    packer = _Packer(write)
    entries: dict[RelPath, Entry] = {}
    last = ""
    for file in files:
        last = _next_key(last, file.path)
        entries[file.path] = Entry(packer.add(file, subject), file.executable)
    nar_hash = packer.finish()
    return Packed(Tree.in_order(entries), nar_hash, packer.size)


class _Packer:
    """A tar and a NAR that grow together; many small pieces of the tar are written as few large ones."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.size = 0
        self._write = write
        self._walk = TarWalk()
        self._nar = nar.NarHash()
        self._parts: list[Chunk] = []
        self._pending_bytes = 0

    def add(self, file: FileToPack, subject: str) -> Sha256:
        path = file.path.encode()
        size = left = file.size
        tar, nar_part = self._walk.enter(file.path)
        self._push(tar + file_header(path, size, executable=file.executable))
        self._nar.add(nar_part + nar.before_file(path.rpartition(b"/")[2], size, executable=file.executable))
        digest = hashlib.sha256()
        for chunk in file.chunks:
            left -= len(chunk)
            if left < 0:
                raise _changed(file, subject, f"more than the {size} bytes")
            digest.update(chunk)
            self._push(chunk)
            self._nar.add(chunk)
        if left:
            raise _changed(file, subject, f"{size - left} of the {size} bytes")
        self._push(padding(size))
        self._nar.add(nar.after_file(size))
        return Sha256(digest.hexdigest())

    def finish(self) -> str:
        """Complete both, and return the narHash."""
        tar, nar_part = self._walk.finish()
        self._push(tar)
        self._nar.add(nar_part)
        self._flush()
        return self._nar.sri()

    def _push(self, part: Chunk) -> None:
        self._parts.append(part)
        self._pending_bytes += len(part)
        if self._pending_bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        tar = b"".join(self._parts)
        self._write(tar)
        self.size += len(tar)
        self._parts.clear()
        self._pending_bytes = 0


def _next_key(last: str, path: RelPath) -> str:
    """Return the sort key of `path`, which comes after `last`. A file "in" a file would come right after that one."""
    key = path.replace("/", "\0")
    if key <= last or (last and key.startswith(last + "\0")):
        raise ValueError(f"files to pack are not in the order of a tree at {quoted(path)}")
    return key


def _changed(file: FileToPack, subject: str, now: str) -> DigestMismatch:
    return DigestMismatch(
        subject=f"{subject}, file {quoted(file.path)}",
        check=f"the file changed while it was read: now it has {now} that it had at first",
        remedy="rerun the command when nothing writes there",
    )
