"""The canonical tar, block by block: the same tree is the same bytes on every machine (docs/reference/lockfile.md).

GNU tar writes exactly these bytes for a folder `source` whose modes are plain, up to where it pads the end:
`tar -c --format=gnu --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX source`.
Headers are made by hand because `tarfile` takes eight times as long.
"""

from __future__ import annotations

from agent_sync.errors import LimitExceeded
from agent_sync.escaping import shown

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
            subject=f"file {shown(path.decode(errors='replace'))}",
            check=f"its {size} bytes do not fit into a tar of this format, which ends at {MAX_SIZE}",
            remedy="leave it out with `exclude:`",
        )
    return _entry(TOP + path, b"%011o\0" % size, _PROGRAM if executable else _FILE, b"0")


def folder_header(path: bytes) -> bytes:
    """What stands before the content of the folder at `path`; the tree itself is the empty path."""
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
