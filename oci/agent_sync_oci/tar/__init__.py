"""Tar archives, strictly in and plainly out: regular files and directories, nothing else.

Bytes of a foreign archive go in; its members come out, each with its place, or a refusal. Whatever two of GNU tar,
bsdtar, Go and Python could read differently is refused: two sizes or two names for one file, unknown extensions, names
that are there twice.
"""

from __future__ import annotations

BLOCK_BYTES = 512


def padded(size: int) -> int:
    """How many bytes content of this size takes in an archive."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
