"""A file made anew in one step: whoever looks sees all of the old content or all of the new, also after a power cut."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import suppress

from agent_sync.adapters.descriptors import CREATING, LISTING, is_link, let_go, write_all

_numbers = itertools.count()


def replace_file(name: str, content: bytes, folder: int) -> None:
    """The file `name` has this content.

    Raises:
        OSError: the system refused, ELOOP if `name` is a symlink; then nothing has changed.
    """
    if is_link(name, folder):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    temporary, descriptor = _open_temporary(folder)
    try:
        _fill(descriptor, content)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    _flush_names(folder)


def _open_temporary(folder: int) -> tuple[str, int]:
    while True:
        # Unlike one fixed name, this cannot take the file away from another process that is writing.
        name = f".agent-sync-{os.getpid()}-{next(_numbers)}.tmp"
        with suppress(FileExistsError):  # left by a killed process that had our number
            return name, os.open(name, CREATING, 0o644, dir_fd=folder)


def _fill(descriptor: int, content: bytes) -> None:
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_names(folder: int) -> None:
    listing = os.open(".", LISTING, dir_fd=folder)
    try:
        os.fsync(listing)
    finally:
        let_go(listing)
