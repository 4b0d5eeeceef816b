"""Walk directory trees by descriptors, lock files, and translate what the system refuses into our errors.

No symlink is ever followed, whoever swaps what meanwhile: each step opens one name with O_NOFOLLOW relative to the
descriptor before it. A check of the path as text (realpath) followed by open() would leave a gap between the two; here
the thing that was checked is the thing that is held. This alone keeps the promise, so openat2(RESOLVE_BENEATH), which
Python cannot call, is not needed."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from agent_sync.errors import AgentSyncError, CrossDeviceLink, FileSystemError, ProjectBusy, UnsafePath
from agent_sync_oci.text import quoted

_NO_SPACE = "free some space, then rerun the command"
_TOO_MANY_FILES = "close other programs, or allow more open files: ulimit -n"
_IN_THE_WAY = "move away what is in the way, then rerun the command"
_PERMISSION = (errno.EACCES, errno.EPERM)

_REMEDIES = {
    errno.EROFS: "mount the file system writable, or work elsewhere",
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.EIO: "the disk may be failing: see the system's log (dmesg)",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOENT: "check that the path exists",
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
    return FileSystemError(subject=subject, check=check, remedy=_REMEDIES.get(error.errno or 0, "rerun the command"))


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


# O_PATH: a directory that may be entered but not listed can be walked through. macOS does not have it.
DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
LISTING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a fifo must not wait for its other end.
READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# O_NOFOLLOW and O_NONBLOCK: the lock file may be a link or a fifo that somebody left for us.
LOCKING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_LEADS_OUT = ("", "..")
_POLL_S = 0.05


def walk(root: int, names: Iterable[str], *, missing: Callable[[str, int], None] | None = None) -> int:
    """Return a new descriptor of the directory at `names` below `root`; `missing` may make a missing name.

    Raises:
        OSError: ELOOP where a name is a symlink, ENOTDIR where it is another thing, ENOENT where it is missing.
        UnsafePath: a name is "..", or empty as in an absolute path.
    """
    here = root
    try:
        for name in names:
            below = _step(name, here, missing)
            if here != root:
                release(here)
            here = below
        opened, here = here if here != root else os.open(".", DIRECTORY, dir_fd=root), root  # the caller's from now on
        return opened
    finally:
        if here != root:
            release(here)


class ParentDirectory:
    """The directory that holds `path`, as a descriptor that is open in the `with` block, and the path's last name.

    A bare name costs nothing: its directory is `root` itself.
    """

    __slots__ = ("_directory", "_path", "_root")

    def __init__(self, root: int, path: str) -> None:
        self._root = self._directory = root
        self._path = path

    def __enter__(self) -> tuple[int, str]:
        directories, slash, name = self._path.rpartition("/")
        _refuse_leading_out(name)
        if slash:
            self._directory = walk(self._root, directories.split("/"))
        return self._directory, name

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._directory != self._root:
            release(self._directory)


def release(descriptor: int) -> None:
    """Close a descriptor through which nothing was written, so that what the system says of it is of no interest."""
    try:  # noqa: SIM105  # done several times for every file, and `suppress` takes as long as closing does
        os.close(descriptor)
    except OSError:
        pass


def pieces(descriptor: int, size: int) -> Iterator[bytes]:
    """Yield every byte of the open file, which had this size, in pieces of at most 64 KiB."""
    # A buffer that just fits costs a quarter of a generous one for the small files that are the rule.
    left = size
    wanted = min(left + 1, 1 << 16)
    while piece := os.read(descriptor, wanted):
        yield piece
        left -= len(piece)
        if left == 0:  # all that there was: asking once more for the end would be one call in six
            break


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write all of `chunk`; the system may take it in parts."""
    written = os.write(descriptor, chunk)
    if written != len(chunk):
        left = memoryview(chunk)[written:]
        while left:
            left = left[os.write(descriptor, left) :]


def is_link(name: str, directory: int) -> bool:
    """Return whether a symlink is at `name`."""
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _refuse_leading_out(name: str) -> None:
    # A RelPath never has such a name: this is the second lock on the door.
    if name in _LEADS_OUT:
        raise UnsafePath(subject=f"the name {quoted(name)}", check="leads out of its directory")


def _step(name: str, here: int, missing: Callable[[str, int], None] | None) -> int:
    _refuse_leading_out(name)
    try:
        return os.open(name, DIRECTORY, dir_fd=here)
    except FileNotFoundError:
        if missing is None:
            raise
        missing(name, here)
        return os.open(name, DIRECTORY, dir_fd=here)
    except NotADirectoryError as error:
        # Linux says ENOTDIR of a symlink, too, when both flags are given.
        if is_link(name, here):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error
        raise


def hold_lock(open_it: Callable[[], int], *, path: str, shared: bool, wait_s: float) -> int:
    """Return the descriptor of the lock file, locked with flock(2) until it is closed.

    The kernel releases the lock when the process ends, however it ends.

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
        raise wrong_kind(path, "not a regular file")
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
        check="locked by another process",
        remedy="wait until that process has finished, then rerun the command",
    )
