"""A lock file held with flock(2): the kernel lets go of it when its process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack

from agent_sync.adapters.descriptors import release
from agent_sync.adapters.faults import wrong_kind
from agent_sync.errors import ProjectBusy
from agent_sync_oci.text import quoted

# O_NOFOLLOW and O_NONBLOCK: the lock file may be a link or a fifo that somebody left for us.
OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_POLL_S = 0.05


def hold(open_it: Callable[[], int], *, path: str, shared: bool, wait_s: float) -> int:
    """The descriptor of the lock file, which is held until it is closed.

    Raises:
        ProjectBusy: another process holds it for longer than `wait_s`.
        FileSystemError: it is no regular file.
        OSError: the system refused.
    """
    deadline = time.monotonic() + wait_s
    while True:
        descriptor = open_it()
        with ExitStack() as on_error:
            on_error.callback(release, descriptor)
            held = _acquired(descriptor, path, shared=shared)
            # Somebody may have removed the file between our open and our lock: what we hold then, nobody else finds.
            removed = os.fstat(descriptor).st_nlink == 0
            on_error.pop_all()
        if held and not removed:
            return descriptor
        release(descriptor)
        if removed:
            continue
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise _busy(path)
        time.sleep(min(_POLL_S, left_s))


def _acquired(descriptor: int, path: str, *, shared: bool) -> bool:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise wrong_kind(path, "no regular file")
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _busy(path: str) -> ProjectBusy:
    return ProjectBusy(
        subject=f"file {quoted(path)}",
        check="another process holds it",
        remedy="wait until it has finished, then run this again",
    )
