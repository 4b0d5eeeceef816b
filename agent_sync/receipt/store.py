"""The receipt store: a directory of this user's alone, bounded in number and bytes, and the keys of its receipts."""

from __future__ import annotations

import os
import posixpath
import stat
import sys

from agent_sync._version import __version__
from agent_sync.receipt.facts import short_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar


# -- where a user's cache is -------------------------------------------------------------------------------------------

CACHE_VARIABLE = "AGENT_SYNC_CACHE"


def user_cache(environment: Mapping[str, str], *, macos: bool) -> str | None:
    """Return the path of agent-sync's directory in the user's cache; None if there is no home either."""
    base = environment.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        return posixpath.join(base, "agent-sync")
    home = environment.get("HOME") or environment.get("USERPROFILE")
    if not home:
        return None
    below = ("Library", "Caches") if macos else (".cache",)
    return posixpath.join(home, *below, "agent-sync")


def receipts_directory(environment: Mapping[str, str], *, macos: bool) -> str | None:
    """Return the path of the receipts: inside the directory that AGENT_SYNC_CACHE names, else beside the blobs."""
    cache = environment.get(CACHE_VARIABLE) or user_cache(environment, macos=macos)
    return None if cache is None else posixpath.abspath(posixpath.join(cache, "receipts"))


# -- keys --------------------------------------------------------------------------------------------------------------


def receipt_key(arguments: Sequence[str]) -> str | None:
    """Return the key of this process's receipt; it begins with the `directory_prefix`.

    The key covers the program and its interpreter, the arguments, the current directory, the user, and the three
    streams. It is None where no receipt can be kept: without users to tell apart, a directory to be in, or a stream to
    write to.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not hasattr(os, "geteuid") or any(stream is None or stream.closed for stream in streams):
        return None
    try:
        directory = os.getcwdb()
        terminals = tuple((stream.isatty(), stream.encoding) for stream in streams)
    except OSError:
        return None
    circumstances = (
        __version__,
        __file__,
        sys.version,
        sys.flags,
        sys.getfilesystemencoding(),
        list(arguments),
        directory,
        (os.geteuid(), os.getegid()),
        terminals,
    )
    return f"{short_name(directory)}-{short_name(repr(circumstances).encode('utf-8', 'surrogateescape'))}"


def directory_prefix(name: str) -> str:
    """Return what the keys of all runs in one directory begin with."""
    return name.partition("-")[0]


# -- the directory of receipts -----------------------------------------------------------------------------------------

if TYPE_CHECKING:
    T = TypeVar("T")

MAX_RECEIPT_BYTES = 64_000_000
MAX_RECEIPTS = 64
MAX_TOTAL_BYTES = 256_000_000

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = ".tmp"


def read_receipt(path: str, name: str) -> bytes | None:
    """Return the content of a receipt; None if there is none, or none that can be trusted."""
    return _in_directory(path, lambda directory: _read(directory, name))


def newest_receipt(path: str, prefix: str) -> bytes | None:
    """Return the content of the receipt that was written last, of those whose keys begin with `prefix`."""

    def newest(directory: int) -> bytes | None:
        found = [(written_ns, name) for written_ns, _, name in _entries(directory) if name.startswith(prefix)]
        return _read(directory, max(found)[1]) if found else None

    return _in_directory(path, newest)


def write_receipt(path: str, name: str, content: bytes) -> bool:
    """Write a receipt, evicting the oldest ones to make room; return whether it is there now, whole."""

    def write(directory: int) -> bool:
        _evict_oldest(directory, len(content))
        _write(directory, name, content)
        return True

    return len(content) <= MAX_RECEIPT_BYTES and _in_directory(path, write, make=True) is True


def _in_directory(path: str, use: Callable[[int], T], *, make: bool = False) -> T | None:
    """Return what `use` makes of the open directory; None unless it is this user's alone, so that nobody else filled
    it.
    """
    try:
        if make:
            _make_directory(path)
        directory = os.open(path, _DIRECTORY_FLAGS)
        try:
            _require_own(os.fstat(directory))
            return use(directory)
        finally:
            os.close(directory)
    except OSError:
        return None


def _require_own(found: os.stat_result) -> None:
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise PermissionError("somebody else could have written it")


def _read(directory: int, name: str) -> bytes | None:
    descriptor = os.open(name, _READ_FLAGS, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        _require_own(found)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_RECEIPT_BYTES:
            return None
        return _read_all(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    content = os.read(descriptor, size + 1)
    while more := os.read(descriptor, 1 << 20):
        content += more
    return content


def _make_directory(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return


def _evict_oldest(directory: int, size: int) -> None:
    receipts = sorted(_entries(directory))
    total = size + sum(each[1] for each in receipts)
    for left, (_, taken, name) in zip(range(len(receipts), 0, -1), receipts, strict=True):
        if left < MAX_RECEIPTS and total <= MAX_TOTAL_BYTES:
            break
        os.unlink(name, dir_fd=directory)
        total -= taken


def _entries(directory: int) -> Iterator[tuple[int, int, str]]:
    """Yield when each file was written, its size and its name; unfinished ones too, which grow old and are evicted."""
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another process was quicker
            yield found.st_mtime_ns, found.st_size, entry.name


def _write(directory: int, name: str, content: bytes) -> None:
    staged = os.urandom(12).hex() + _UNFINISHED
    descriptor = os.open(staged, _WRITE_FLAGS, 0o600, dir_fd=directory)
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        os.rename(staged, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(staged, dir_fd=directory)
        raise
