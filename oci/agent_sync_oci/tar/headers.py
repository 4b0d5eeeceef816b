"""Headers of tar archives: 512 bytes of POSIX's or GNU's format, read strictly with the extensions before them, and
written in one spelling.

Reading raises ValueError, which says what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_sync_oci.tar import BLOCK_BYTES

# -- reading ---------------------------------------------------------------------------------------------------------

POSIX, GNU = b"ustar\x0000", b"ustar  \x00"
FILE, OLD_FILE, DIRECTORY = b"0", b"\0", b"5"
PAX, PAX_FOR_ALL, LONG_NAME = b"x", b"g", b"L"

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ([^=\n\0]+)=")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_LARGEST_OCTAL = 8**11 - 1  # bytes
_LARGEST = 2**63 - 1

# What says nothing about which files there are and what is in them. `path` and `size` are obeyed; the rest is refused.
_IGNORED = {"atime", "comment", "ctime", "gid", "gname", "mtime", "uid", "uname"}
_IGNORED_BEGINNINGS = ("LIBARCHIVE.", "SCHILY.xattr.", "SCHILY.fflags", "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink")


@dataclass(frozen=True, slots=True)
class Header:
    """What one header says, for itself: `kind` is its type flag, `name` may be cut if an extension has the whole."""

    kind: bytes
    name: bytes
    size: int
    mode: int


@dataclass(frozen=True, slots=True)
class Extension:
    """What an extended header says of the member after it: a name or a size that count instead of the header's own."""

    name: str | None = None
    size: int | None = None


def read_header(block: bytes) -> Header:
    """The header that this block is."""
    posix = block[257:265] == POSIX
    if not posix and block[257:265] != GNU:
        raise ValueError("a header is neither POSIX's nor GNU's")
    if posix and block[500:512].strip(b"\0"):
        raise ValueError("a header has text where POSIX has none")
    if _octal(block[148:156], "checksum") != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        raise ValueError("the checksum of a header is wrong")
    name, prefix = _until_nul(block[:100]), _until_nul(block[345:500]) if posix else b""
    whole = prefix + b"/" + name if prefix else name
    return Header(block[156:157], whole, _size(block[124:136]), _octal(block[100:108], "mode"))


def read_long_name(content: bytes) -> Extension:
    """GNU's extension for a name that does not fit."""
    name, end, after = content.partition(b"\0")
    if not end or after.strip(b"\0"):
        raise ValueError("a long name does not end in NUL")
    return Extension(_decode_name(name))


def read_pax(content: bytes) -> Extension:
    """POSIX.1-2017, pax, "pax Extended Header": records of `length key=value\\n`."""
    said: dict[str, bytes] = {}
    at = 0
    while at < len(content):
        record = _RECORD.match(content, at)
        end = at + int(record[1]) if record else 0
        if record is None or not record.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise ValueError("an extended header is malformed")
        key = _decode_name(record[2])
        if key in said:
            raise ValueError(f"an extended header says {key!r} twice")
        if key not in ("path", "size") and key not in _IGNORED and not key.startswith(_IGNORED_BEGINNINGS):
            raise ValueError(f"an extended header says {key!r}, which is not understood")
        said[key] = content[record.end() : end - 1]
        at = end
    size = said.get("size")
    if size is not None and (_NUMBER.fullmatch(size) is None or int(size) > _LARGEST):
        raise ValueError("an extended header has a size that is no number of bytes")
    return Extension(_decode_name(said["path"]) if "path" in said else None, None if size is None else int(size))


def true_name(header: Header, extension: Extension) -> str:
    """The name of the member."""
    return _decode_name(header.name) if extension.name is None else extension.name


def true_size(header: Header, extension: Extension) -> int:
    """The bytes of the content.

    Two sizes are refused unless the header's field could not hold the true one: readers differ on which one counts, and
    with it on where the next header is.
    """
    if extension.size is None or extension.size == header.size:
        return header.size
    if extension.size <= _LARGEST_OCTAL:
        raise ValueError(f"a file has two sizes, {header.size} and {extension.size}")
    return extension.size


def _size(field: bytes) -> int:
    if field[0] < 0x80:
        return _octal(field, "size")
    size = int.from_bytes(field[1:])
    if (
        field[0] != 0x80 or size > _LARGEST
    ):  # GNU's way for large numbers; the other leading bytes are for negative ones
        raise ValueError("a size is negative, or larger than any file")
    return size


def _octal(field: bytes, what: str) -> int:
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        raise ValueError(f"a {what} is no octal number")
    return int(digits[1] or b"0", 8)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decode_name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ValueError(f"a name is not UTF-8: {name[:80]!r}") from None


# -- writing ---------------------------------------------------------------------------------------------------------

END = bytes(2 * BLOCK_BYTES)
_MAX_OCTAL = 8**11 - 1  # bytes


def file_header(name: str, size: int) -> bytes:
    """The header before `size` bytes of content, which are to be padded to whole blocks. At most 100 bytes of name."""
    return _header(name, size=size, mode=0o644, kind=b"0")


def directory_header(name: str) -> bytes:
    """The header of a directory; the name without a slash at its end."""
    return _header(name + "/", size=0, mode=0o755, kind=b"5")


def _header(name: str, *, size: int, mode: int, kind: bytes) -> bytes:
    encoded = name.encode()
    assert len(encoded) <= 100, name
    size_field = b"%011o\0" % size if size <= _MAX_OCTAL else b"\x80" + size.to_bytes(11)  # GNU's, all read it
    block = bytearray(BLOCK_BYTES)
    block[: len(encoded)] = encoded
    block[100:136] = b"%07o\0%07o\0%07o\0" % (mode, 0, 0) + size_field
    block[136:156] = b"%011o\0" % 0 + b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
