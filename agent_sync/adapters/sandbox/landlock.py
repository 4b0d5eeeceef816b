"""Landlock (landlock(7)): which files a process may open, make, move and remove, by directory, whatever its user
may do.

What no rule allows is refused. What Landlock does not see at all (metadata, sockets), seccomp.py decides.
The kernel says how much it knows (the ABI version); rights that it does not know yet are left out, and seccomp.py
closes the gaps that matter: truncation before version 3, signals before version 6.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from enum import IntFlag

from agent_sync.adapters.sandbox.kernel import call
from agent_sync.adapters.sandbox.protocol import Order

NEWEST_ABI = 6  # of those this module has rights for
SEES_TRUNCATION, SCOPES_SIGNALS = 3, 6

_ASK_VERSION, _PATH_BENEATH = 1, 1


class Right(IntFlag):
    """One thing that may be done beneath a directory, or with a file (LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13  # move or link to another directory; since version 2
    TRUNCATE = 1 << 14  # since version 3
    IOCTL_DEV = 1 << 15  # since version 5


READ = Right.READ_FILE | Right.READ_DIR
RUN = READ | Right.EXECUTE
CHANGE = (
    RUN
    | Right.WRITE_FILE
    | Right.TRUNCATE
    | Right.MAKE_REG
    | Right.MAKE_DIR
    | Right.REMOVE_FILE
    | Right.REMOVE_DIR
    | Right.REFER
)
_OF_FILES = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV
_CONNECT_AND_BIND_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def abi() -> int:
    """Return the version of Landlock of this kernel. Raise OSError if it has none, or it is switched off."""
    return call("landlock_create_ruleset", None, 0, _ASK_VERSION)


def restrict(rules: Iterable[tuple[str, Right]], *, version: int) -> None:
    """Restrict this process, and all that it starts, to what `rules` (path, rights) allow.

    A path that is absent is skipped. `version` is the ABI to use. `no_new_privs` must be set. Raises OSError.
    """
    handled = _handled(version)
    ruleset = call("landlock_create_ruleset", *_attributes(handled, version), 0)
    for path, rights in rules:
        _allow(ruleset, path, rights & handled)
    call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _handled(version: int) -> Right:
    count = 13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16
    return Right((1 << count) - 1)


def _attributes(handled: Right, version: int) -> tuple[bytes, int]:
    """Return `struct landlock_ruleset_attr` and its size, which grew: TCP since version 4, scopes since 6."""
    whole = struct.pack("=QQQ", handled, _CONNECT_AND_BIND_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if version < 4 else 16 if version < 6 else 24
    return whole[:size], size


def _allow(ruleset: int, path: str, rights: Right) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        granted = rights if stat.S_ISDIR(os.fstat(opened).st_mode) else rights & _OF_FILES
        call("landlock_add_rule", ruleset, _PATH_BENEATH, struct.pack("=Qi", granted, opened), 0)
    finally:
        os.close(opened)


# Code and data that come with the system; no place where people or services keep what is theirs.
_SYSTEM_DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")

# Of /etc, where secrets are, only what programs fail without: the linker's cache, Python's and Perl's site files on
# Debian, Python's mimetypes, OpenSSL's settings (node ends without them).
_SYSTEM_CONFIGURATION = (
    "/etc/ld.so.cache",
    "/etc/mime.types",
    "/etc/perl",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/etc/crypto-policies",
)
_PYTHON_CONFIGURATION = "python3."

_DEVICES = {
    "/dev/null": Right.READ_FILE | Right.WRITE_FILE | Right.TRUNCATE,
    "/dev/zero": Right.READ_FILE,
    "/dev/random": Right.READ_FILE,
    "/dev/urandom": Right.READ_FILE,
}


def file_rules(order: Order) -> Iterator[tuple[str, Right]]:
    """Yield every path with what may be done there; beneath a directory, with all that is in it.

    The output can hold files and directories only: no symlink, fifo, socket or device can be made there or moved there.
    To execute what it has written is no more than to have it interpreted, and so allowed.
    """
    for directory in _SYSTEM_DIRECTORIES:
        yield directory, RUN
    for path in _SYSTEM_CONFIGURATION:
        yield path, READ
    for name in sorted(os.listdir("/etc")):
        if name.startswith(_PYTHON_CONFIGURATION):
            yield f"/etc/{name}", READ
    yield from _DEVICES.items()
    yield order.program_directory, RUN
    yield order.input, READ
    yield order.output, CHANGE
    yield order.home, CHANGE | Right.MAKE_SYM | Right.MAKE_FIFO
