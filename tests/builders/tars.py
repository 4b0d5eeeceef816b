"""Tar archives by hand, header by header, so that they can lie."""

from __future__ import annotations

from agent_sync_oci.tar import BLOCK_BYTES, padded

END = bytes(2 * BLOCK_BYTES)
POSIX, GNU = b"ustar\x0000", b"ustar  \x00"


def header(
    name: bytes,
    size: int | bytes = 0,
    *,
    kind: bytes = b"0",
    mode: bytes = b"0000644\0",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    link: bytes = b"",
    pad: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One block; `size` in octal, or the 12 bytes of the field."""
    block = bytearray(BLOCK_BYTES)
    block[: len(name)] = name
    block[100:108] = mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = magic
    block[345 : 345 + len(prefix)] = prefix
    block[500 : 500 + len(pad)] = pad
    block[148:156] = b"%06o\0 " % sum(block) if checksum is None else checksum
    assert len(block) == BLOCK_BYTES
    return bytes(block)


def filled(content: bytes) -> bytes:
    """The content and what fills its last block."""
    return content.ljust(padded(len(content)), b"\0")


def a_file(name: bytes, content: bytes = b"x", **fields: bytes) -> bytes:
    """A regular file."""
    return header(name, len(content), **fields) + filled(content)


def a_directory(name: bytes) -> bytes:
    """A directory."""
    return header(name, kind=b"5", mode=b"0000755\0")


def long_name(name: bytes) -> bytes:
    """GNU's extension before a member whose name does not fit."""
    return header(b"././@LongLink", len(name) + 1, kind=b"L", magic=GNU) + filled(name + b"\0")


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """POSIX's extension before a member (or, with kind `g`, all)."""
    content = b"".join(record(key, value) for key, value in records)
    return header(b"PaxHeaders/x", len(content), kind=kind) + filled(content)


def record(key: bytes, value: bytes) -> bytes:
    """`length key=value` and a line break, where the length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(b"%d" % length + rest):
        length = len(b"%d" % length + rest)
    return b"%d" % length + rest
