"""A file anywhere on the machine, such as a configuration."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from agent_sync.adapters.descriptors import let_go
from agent_sync.adapters.faults import fault, wrong_kind

MAX_BYTES = 16 * 1024 * 1024


def read_file(path: str) -> bytes | None:
    """The file at the absolute `path`, through links; None if there is none.

    Of a file over 16 MiB, the first bytes: more than that, so that whoever reads it sees that it is too long.

    Raises: FileFault if it cannot be read, or is no regular file (a fifo would block for ever).
    """
    found = read_with_stat(path)
    return None if found is None else found[0]


def read_with_stat(path: str) -> tuple[bytes, os.stat_result] | None:
    """The same, with what the file system said of the open file before it was read."""
    with _opened(path) as file:
        if file is None:
            return None
        about = os.fstat(file.fileno())
        return file.read(MAX_BYTES + 1), about


def sha256_of_file(path: str) -> str | None:
    """The SHA-256 of the whole file, in hexadecimal digits; None if there is none. Raises as `read_file` does."""
    with _opened(path) as file:
        return None if file is None else hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: str) -> Iterator[BufferedReader | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        raise fault(error, doing="read", path=path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise wrong_kind(path, "no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise fault(error, doing="read", path=path) from error
    finally:
        let_go(descriptor)
