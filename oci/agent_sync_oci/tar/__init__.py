"""Tar archives: regular files and directories, read strictly and written in one plain form.

Whatever two of GNU tar, bsdtar, Go and Python could read differently is refused: two sizes or two names for one file,
unknown extensions, duplicate names.
"""

from __future__ import annotations

BLOCK_BYTES = 512


def padded(size: int) -> int:
    """Return how many bytes content of `size` bytes takes in an archive: whole blocks."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
