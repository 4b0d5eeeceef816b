"""What the system refused -> our errors, with what to do about it."""

from __future__ import annotations

import errno

from agent_sync.errors import AgentSyncError, CrossDeviceLink, FileSystemError, UnsafePath
from agent_sync_oci.text import quoted

_NO_PERMISSION = "give yourself the permission (`ls -ld` on it and on its directories shows who has it)"
_NO_SPACE = "free some space, then run it again"
_TOO_MANY_FILES = "close other programs, or allow more open files: ulimit -n"
_IN_THE_WAY = "move away what stands there, then run it again"

_REMEDIES = {
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: "it lies on a read-only file system: mount it writable, or work elsewhere",
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
    errno.ENOENT: "check that it is there; something may have removed it meanwhile",
}


def fault(error: OSError, *, doing: str, path: str) -> AgentSyncError:
    """The error of our family that says that the system refused `doing` something with `path`."""
    subject = f"file {quoted(path)}"
    if error.errno == errno.ELOOP:
        return link_in_the_way(path, error.filename)
    check = f"cannot {doing}: {error.strerror or error}"
    if error.errno == errno.EXDEV:
        return CrossDeviceLink(subject=subject, check=check, remedy="keep both on one file system")
    return FileSystemError(subject=subject, check=check, remedy=_REMEDIES.get(error.errno or 0, "run it again"))


def link_in_the_way(path: str, part: object = None) -> UnsafePath:
    """The refusal of a path that is a symlink or passes through one, which is `part` where that is known."""
    what = f"{quoted(part)} on its way" if isinstance(part, str) and not path.endswith(part) else "it"
    return UnsafePath(
        subject=f"file {quoted(path)}",
        check=f"{what} is a symbolic link, which is never followed",
        remedy="put a real directory or file in its place",
    )


def wrong_kind(path: str, kind: str) -> FileSystemError:
    """The refusal of something that is no regular file, or no directory, where one is needed."""
    return FileSystemError(subject=f"file {quoted(path)}", check=f"it is {kind}", remedy=_IN_THE_WAY)
