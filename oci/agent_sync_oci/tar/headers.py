"""Headers of tar archives: read strictly, with the extended headers before them, and written in one form.

A header is a block of 512 bytes in the format of POSIX or GNU. Reading raises ValueError, which says what is wrong.
Source: POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_sync_oci.tar import BLOCK_BYTES
from agent_sync_oci.text import quoted

# -- reading ---------------------------------------------------------------------------------------------------------

POSIX, GNU = b"ustar\x0000", b"ustar  \x00"
FILE, OLD_FILE, DIRECTORY = b"0", b"\0", b"5"
PAX, PAX_FOR_ALL, LONG_NAME = b"x", b"g", b"L"

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ([^=\n\0]+)=")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_MAX_OCTAL = 8**11 - 1  # bytes
_LARGEST = 2**63 - 1

# Keys that say nothing about names and content. `path` and `size` are obeyed; any other key is refused.
_IGNORED = {"atime", "comment", "ctime", "gid", "gname", "mtime", "uid", "uname"}
_IGNORED_BEGINNINGS = ("LIBARCHIVE.", "SCHILY.xattr.", "SCHILY.fflags", "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink")


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one header: `kind` is its type flag; `name` may be cut if an extended header has the whole."""

    kind: bytes
    name: bytes
    size: int
    mode: int


@dataclass(frozen=True, slots=True)
class Extension:
    """An extended header: a name or a size that replaces that of the next member's own header."""

    name: str | None = None
    size: int | None = None


def read_header(block: bytes) -> Header:
    """Return the header in this block. Raises ValueError."""
    posix = block[257:265] == POSIX
    if not posix and block[257:265] != GNU:
        raise ValueError("a header in the format of neither POSIX nor GNU")
    if posix and block[500:512].strip(b"\0"):
        raise ValueError("a header has text where POSIX has none")
    if _octal(block[148:156], "checksum") != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        raise ValueError("the checksum of a header is wrong")
    name, prefix = _until_nul(block[:100]), _until_nul(block[345:500]) if posix else b""
    whole = prefix + b"/" + name if prefix else name
    return Header(block[156:157], whole, _size(block[124:136]), _octal(block[100:108], "mode"))


def read_long_name(content: bytes) -> Extension:
    """Return the extended header of GNU for a name that does not fit. Raises ValueError."""
    name, end, after = content.partition(b"\0")
    if not end or after.strip(b"\0"):
        raise ValueError("a long name does not end in NUL")
    return Extension(_decode_name(name))


def read_pax(content: bytes) -> Extension:
    """Return the extended header of POSIX.1-2017 ("pax Extended Header"): records of `length key=value\\n`.

    Raises ValueError.
    """
    said: dict[str, bytes] = {}
    at = 0
    while at < len(content):
        record = _RECORD.match(content, at)
        end = at + int(record[1]) if record else 0
        if record is None or not record.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise ValueError("an extended header is malformed")
        key = _decode_name(record[2])
        if key in said:
            raise ValueError(f"an extended header says {quoted(key)} twice")
        if key not in ("path", "size") and key not in _IGNORED and not key.startswith(_IGNORED_BEGINNINGS):
            raise ValueError(f"an extended header says {quoted(key)}, which is not understood")
        said[key] = content[record.end() : end - 1]
        at = end
    size = said.get("size")
    if size is not None and (_NUMBER.fullmatch(size) is None or int(size) > _LARGEST):
        raise ValueError("an extended header has a size that is not a number of bytes")
    return Extension(_decode_name(said["path"]) if "path" in said else None, None if size is None else int(size))


def true_name(header: Header, extension: Extension) -> str:
    """Return the name of the member."""
    return _decode_name(header.name) if extension.name is None else extension.name


def true_size(header: Header, extension: Extension) -> int:
    """Return the size of the content in bytes.

    Two sizes are refused unless the header's field could not hold the true one: readers differ on which one counts, and
    with it on where the next header is.
    """
    if extension.size is None or extension.size == header.size:
        return header.size
    if extension.size <= _MAX_OCTAL:
        raise ValueError(f"a file has two sizes, {header.size} and {extension.size}")
    return extension.size


def _size(field: bytes) -> int:
    if field[0] < 0x80:
        return _octal(field, "size")
    size = int.from_bytes(field[1:])
    # GNU writes large numbers in binary after 0x80; other leading bytes are for negative numbers.
    if field[0] != 0x80 or size > _LARGEST:
        raise ValueError("a size is negative, or larger than any file")
    return size


def _octal(field: bytes, what: str) -> int:
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        raise ValueError(f"a {what} is not an octal number")
    return int(digits[1] or b"0", 8)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decode_name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ValueError(f"a name is not UTF-8: {quoted(name[:80])}") from None


# -- writing ---------------------------------------------------------------------------------------------------------

END = bytes(2 * BLOCK_BYTES)


def file_header(name: str, size: int) -> bytes:
    """Return the header before `size` bytes of content, which is padded to whole blocks. At most 100 bytes of name."""
    return _header(name, size=size, mode=0o644, kind=b"0")


def directory_header(name: str) -> bytes:
    """Return the header of a directory, whose name is given without a slash at its end."""
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
