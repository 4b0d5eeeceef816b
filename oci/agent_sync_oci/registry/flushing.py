"""Bringing all that was written to a file system to its disk, with one call."""

from __future__ import annotations

import ctypes
import os


def flush_file_system(descriptor: int) -> None:
    """All that was written to this file's file system is on the disk: syncfs(2), or sync(2) where there is none."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
