"""The lock under which the index of a layout folder is changed: its `oci-layout` file, held with flock(2).

Every layout has that file and nobody replaces it, so no lock file is left behind. The kernel lets go of it when its
process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agent_sync_oci.errors import PlaceFault
from agent_sync_oci.layout import LAYOUT_FILE
from agent_sync_oci.registry.files import let_go

# O_NOFOLLOW and O_NONBLOCK: it may be a link or a fifo that somebody left for us.
_OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_POLL_S = 0.01
WAIT_S = 60.0


@contextmanager
def held(folder: int, *, place: str, wait_s: float = WAIT_S) -> Iterator[int]:
    """The descriptor of the `oci-layout` file, made empty if it was missing; in the block nobody else has it.

    Raises:
        PlaceFault: another process holds it for longer than `wait_s`.
        OSError: the system refused.
    """
    descriptor = os.open(LAYOUT_FILE, _OPENING, 0o644, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENXIO, "it is no regular file", LAYOUT_FILE)
        _wait_for(descriptor, place, wait_s)
        yield descriptor
    finally:
        let_go(descriptor)


def _wait_for(descriptor: int, place: str, wait_s: float) -> None:
    give_up = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise PlaceFault(
                    subject=place,
                    check="another process is changing it, and does not come to an end",
                    remedy="end that process, then run this again",
                ) from None
        time.sleep(_POLL_S)
