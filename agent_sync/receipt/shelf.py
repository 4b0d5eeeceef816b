"""The directory of receipts: this user's alone, or it is not believed; its number and its bytes are bounded."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

MAX_RECEIPT_BYTES = 64_000_000
MAX_RECEIPTS = 64
MAX_TOTAL_BYTES = 256_000_000

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = ".tmp"


def read_receipt(path: str, name: str) -> bytes | None:
    """The receipt `name` of the directory at `path`; None if there is none, or none that can be believed."""
    return _in_directory(path, lambda directory: _read(directory, name))


def newest_receipt(path: str, prefix: str) -> bytes | None:
    """Of the receipts whose names begin so, the one that was written last."""

    def newest(directory: int) -> bytes | None:
        found = [(written_ns, name) for written_ns, _, name in _all(directory) if name.startswith(prefix)]
        return _read(directory, max(found)[1]) if found else None

    return _in_directory(path, newest)


def write_receipt(path: str, name: str, content: bytes) -> bool:
    """Whether the receipt is there under this name now, whole. The oldest ones make room for it."""

    def write(directory: int) -> bool:
        _make_room(directory, len(content))
        _write(directory, name, content)
        return True

    return len(content) <= MAX_RECEIPT_BYTES and _in_directory(path, write, make=True) is True


def _in_directory(path: str, use: Callable[[int], T], *, make: bool = False) -> T | None:
    """What `use` makes of the directory. None if it is not this user's alone: somebody else could have filled it."""
    try:
        if make:
            _make(path)
        directory = os.open(path, _DIRECTORY)
        try:
            _refuse_others(os.fstat(directory))
            return use(directory)
        finally:
            os.close(directory)
    except OSError:
        return None


def _refuse_others(found: os.stat_result) -> None:
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise PermissionError("somebody else could have written it")


def _read(directory: int, name: str) -> bytes | None:
    descriptor = os.open(name, _READING, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        _refuse_others(found)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_RECEIPT_BYTES:
            return None
        return _whole(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _whole(descriptor: int, size: int) -> bytes:
    content = os.read(descriptor, size + 1)
    while more := os.read(descriptor, 1 << 20):
        content += more
    return content


def _make(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return


def _make_room(directory: int, size: int) -> None:
    receipts = sorted(_all(directory))
    total = size + sum(each[1] for each in receipts)
    for left, (_, taken, name) in zip(range(len(receipts), 0, -1), receipts, strict=True):
        if left < MAX_RECEIPTS and total <= MAX_TOTAL_BYTES:
            break
        os.unlink(name, dir_fd=directory)
        total -= taken


def _all(directory: int) -> Iterator[tuple[int, int, str]]:
    """When each file was written, its size and its name; unfinished ones too, which grow old and go."""
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another process was quicker
            yield found.st_mtime_ns, found.st_size, entry.name


def _write(directory: int, name: str, content: bytes) -> None:
    staged = os.urandom(12).hex() + _UNFINISHED
    descriptor = os.open(staged, _WRITING, 0o600, dir_fd=directory)
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
