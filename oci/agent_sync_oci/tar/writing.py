"""Headers of a plain tar archive: the same name and size give the same bytes on every day and machine."""

from __future__ import annotations

from agent_sync_oci.tar import BLOCK_BYTES

END = bytes(2 * BLOCK_BYTES)
_LARGEST_OCTAL = 8**11 - 1  # bytes


def file_header(name: str, size: int) -> bytes:
    """The header before `size` bytes of content, which are to be padded to whole blocks. At most 100 bytes of name."""
    return _header(name, size=size, mode=0o644, kind=b"0")


def folder_header(name: str) -> bytes:
    """The header of a folder; the name without a slash at its end."""
    return _header(name + "/", size=0, mode=0o755, kind=b"5")


def _header(name: str, *, size: int, mode: int, kind: bytes) -> bytes:
    encoded = name.encode()
    assert len(encoded) <= 100, name
    size_field = b"%011o\0" % size if size <= _LARGEST_OCTAL else b"\x80" + size.to_bytes(11)  # GNU's, all read it
    block = bytearray(BLOCK_BYTES)
    block[: len(encoded)] = encoded
    block[100:136] = b"%07o\0%07o\0%07o\0" % (mode, 0, 0) + size_field
    block[136:156] = b"%011o\0" % 0 + b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
