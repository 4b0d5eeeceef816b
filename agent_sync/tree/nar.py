"""The NAR of a tree, frame by frame: what Nix hashes where it speaks of a directory (nix.dev, "Nix Archive (NAR)
format").

A string is its length as eight bytes, little end first, its bytes, and zeros up to a multiple of eight. The frames go
around the contents of the files in the order of the tree; their SHA-256 is the narHash.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode


def sri(digest: bytes) -> str:
    """Return a SHA-256 digest as Nix and the lock write it: `sha256-` and base64."""
    return "sha256-" + b64encode(digest).decode()


def before_file(name: bytes, size: int, *, executable: bool = False) -> bytes:
    """Return the frame before the `size` bytes of a file called `name` in the directory that is open."""
    length = len(name)
    kind = _PROGRAM if executable else _FILE
    return _ENTRY + _LENGTH.pack(length) + name + _PADDING[length % 8] + kind + _LENGTH.pack(size)


def after_file(size: int) -> bytes:
    """Return the frame after the `size` bytes of a file."""
    return _AFTER_FILE[size % 8]


def link(name: bytes, target: bytes) -> bytes:
    """Return a symbolic link called `name` in the open directory. No tree of ours has one; the disk has some."""
    return b"".join((_ENTRY, _word(name), _NODE, _LINK, _word(target), _CLOSE, _CLOSE))


def before_alone(size: int, *, executable: bool = False) -> bytes:
    """Return the frame before the `size` bytes of a file that is not in a directory."""
    return b"".join((_MAGIC, (_PROGRAM if executable else _FILE)[len(_NODE) :], _LENGTH.pack(size)))


def after_alone(size: int) -> bytes:
    """Return the frame after the `size` bytes of a file that is not in a directory."""
    return _AFTER_FILE[size % 8][: -len(_CLOSE)]


def link_alone(target: bytes) -> bytes:
    """Return a symbolic link that is not in a directory."""
    return b"".join((_MAGIC, _LINK, _word(target), _CLOSE))


def open_directory(name: bytes) -> bytes:
    """Return the frame before the entries of a directory called `name` in the directory that is open."""
    return b"".join((_ENTRY, _word(name), _NODE, _DIRECTORY))


_LENGTH = struct.Struct("<Q")


def _word(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text + bytes(-len(text) % 8)


_MAGIC = _word(b"nix-archive-1")
_CLOSE = _word(b")")
_NODE = _word(b"node")
_ENTRY = _word(b"entry") + _word(b"(") + _word(b"name")
_DIRECTORY = _word(b"(") + _word(b"type") + _word(b"directory")
_LINK = _word(b"(") + _word(b"type") + _word(b"symlink") + _word(b"target")
_REGULAR = _NODE + _word(b"(") + _word(b"type") + _word(b"regular")
_FILE = _REGULAR + _word(b"contents")
_PROGRAM = _REGULAR + _word(b"executable") + _word(b"") + _word(b"contents")
_PADDING = tuple(bytes(-length % 8) for length in range(8))
_AFTER_FILE = tuple(bytes(-size % 8) + _CLOSE + _CLOSE for size in range(8))

START = _MAGIC + _DIRECTORY
"""The frame before everything else."""
CLOSE_DIRECTORY = _CLOSE + _CLOSE
"""The frame after the entries of a directory."""
FINISH = _CLOSE
"""The frame after everything else."""


BATCH_BYTES = 1 << 16
"""Well below 128 KiB: what is larger, malloc gives back to the system and asks for again, page by page."""

_LARGE_BYTES = 1 << 14


class NarHash:
    """The narHash of a NAR that comes in parts; many small ones are hashed as few large ones."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes | memoryview] = []
        self._pending_bytes = 0

    def add(self, part: bytes | memoryview) -> None:
        """Append this part."""
        if len(part) >= _LARGE_BYTES:  # joined with others it would have to be copied
            self._flush()
            self._sha256.update(part)
            return
        self._parts.append(part)
        self._pending_bytes += len(part)
        if self._pending_bytes >= BATCH_BYTES:
            self._flush()

    def sri(self) -> str:
        """Return a SHA-256 digest as Nix and the lock write it: `sha256-` and base64."""
        self._flush()
        return sri(self._sha256.digest())

    def _flush(self) -> None:
        self._sha256.update(b"".join(self._parts))
        self._parts.clear()
        self._pending_bytes = 0
