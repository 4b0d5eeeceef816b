"""A directory on tmpfs, for the tests that make and remove thousands of files: on a disk that is most of their time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 1 << 30


@contextmanager
def a_directory_in_memory() -> Iterator[Path]:
    """An empty directory, removed with all it holds; on the disk where there is no memory for it."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    with tempfile.TemporaryDirectory(prefix="agent-sync-", dir=_MEMORY if roomy else None) as directory:
        yield Path(directory)
