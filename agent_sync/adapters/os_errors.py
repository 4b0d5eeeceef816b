"""Translate what the system refused (OSError) into our errors, with what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from agent_sync.errors import AgentSyncError, CrossDeviceLink, FileSystemError, UnsafePath
from agent_sync_oci.text import quoted

_NO_SPACE = "free some space, then run it again"
_TOO_MANY_FILES = "close other programs, or allow more open files: ulimit -n"
_IN_THE_WAY = "move away what is in the way, then run it again"
_PERMISSION = (errno.EACCES, errno.EPERM)

_REMEDIES = {
    errno.EROFS: "mount the file system writable, or work elsewhere",
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.EIO: "the disk may be failing: look at the system's log (dmesg)",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOENT: "check that the path exists; something may have removed it meanwhile",
}


def file_error(error: OSError, *, doing: str, path: str) -> AgentSyncError:
    """Return our error for the system's refusal of `doing` (a verb) something with the file or directory at `path`."""
    if error.errno == errno.ELOOP:
        return symlink_error(path, error.filename)
    subject = f"file {quoted(path)}"
    check = f"cannot {doing}: {error.strerror or error}"
    if error.errno == errno.EXDEV:
        return CrossDeviceLink(subject=subject, check=check, remedy="keep both on one file system")
    if error.errno in _PERMISSION:
        import shlex  # only an error needs it

        return FileSystemError(subject=subject, check=check, remedy=f"check permissions: ls -ld {shlex.quote(path)}")
    return FileSystemError(subject=subject, check=check, remedy=_REMEDIES.get(error.errno or 0, "run it again"))


@contextmanager
def translated(doing: str, path: str) -> Iterator[None]:
    """Raise an OSError within as ours, of the file that it names, or else of `path`."""
    try:
        yield
    except OSError as error:
        at = error.filename if isinstance(error.filename, str) else path
        raise file_error(error, doing=doing, path=at) from error


def symlink_error(path: str, part: object = None) -> UnsafePath:
    """Return the refusal of a path that is a symlink or passes through one, which is `part` where that is known."""
    through = isinstance(part, str) and not path.endswith(part)
    link = f"passes through {quoted(str(part))}, a symbolic link" if through else "is a symbolic link"
    return UnsafePath(
        subject=f"file {quoted(path)}",
        check=f"{link}, which is never followed",
        remedy="put a real directory or file in its place",
    )


def wrong_kind(path: str, kind: str) -> FileSystemError:
    """Return the refusal of something that is no regular file, or no directory, where one is needed."""
    return FileSystemError(subject=f"file {quoted(path)}", check=f"is {kind}", remedy=_IN_THE_WAY)
