"""Bringing a whole file system's writes to the disk with one call, instead of one fsync for every file."""

from __future__ import annotations

import ctypes
import os


def flush_file_system(descriptor: int) -> None:
    """All that was written to this directory's file system is on the disk: syncfs(2), or sync(2) where there is
    none.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
