"""The machine of one user: its clock, and a directory that only this user can write."""

from __future__ import annotations

import os
import shlex
import stat
import time
from contextlib import suppress
from typing import overload

from agent_sync.adapters.descriptors import LISTING, file_error, release, symlink_error, translated
from agent_sync.adapters.directory import DiskDirectory
from agent_sync.errors import UnsafePath
from agent_sync.tree import ROOT
from agent_sync_oci.text import quoted


class SystemClock:
    """Time as the system has it."""

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()


@overload
def private_directory(path: str) -> DiskDirectory: ...
@overload
def private_directory(path: str, *, make: bool) -> DiskDirectory | None: ...
def private_directory(path: str, *, make: bool = True) -> DiskDirectory | None:
    """Open the directory at the absolute `path`, which only this user can write.

    A missing one is made, with mode 0700; if `make` is false, return None instead. Links on the way to it are the
    user's own affair; the directory itself must not be one.

    Raises:
        UnsafePath: it is a symlink, belongs to somebody else, or others may write in it.
        FileSystemError: the system refused, or something else is at the path.
    """
    try:
        if not os.path.lexists(path):
            if not make:
                return None
            _make(path)
        descriptor = os.open(path, LISTING)
    except OSError as error:
        if os.path.islink(path):  # Linux says ENOTDIR of it
            raise symlink_error(path) from error
        raise file_error(error, doing="open the directory", path=path) from error
    try:
        with translated("look at", path):
            found = os.fstat(descriptor)
        _refuse_others(path, found)
        directory = DiskDirectory(path)
        here = directory.stat(ROOT)
        if here is None or here.inode != found.st_ino:  # held open, so no other directory can have that number
            raise UnsafePath(
                subject=f"directory {quoted(path)}",
                check="was replaced while it was opened",
                remedy="check which process writes to the parent directory",
            )
        return directory
    finally:
        release(descriptor)


def _make(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with suppress(FileExistsError):  # another process was faster; what it made is looked at like any other
        os.mkdir(path, 0o700)


def _refuse_others(path: str, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise UnsafePath(
            subject=f"directory {quoted(path)}",
            check=f"belongs to user {found.st_uid}, who could change what is in it",
            remedy="use a directory of your own",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafePath(
            subject=f"directory {quoted(path)}",
            check=f"is writable by others (mode {stat.S_IMODE(found.st_mode):04o})",
            remedy=f"chmod go-w {shlex.quote(path)}",
        )
