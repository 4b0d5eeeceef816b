"""What a command reaches of the file system: the system's programs, its own, its input, two folders to fill."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agent_sync.adapters.sandbox.landlock import CHANGE, READ, RUN, Right
from agent_sync.adapters.sandbox.order import Order

# Code and data that come with the system; no place where people or services keep what is theirs.
_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")

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


def reachable(order: Order) -> Iterator[tuple[str, Right]]:
    """Every path with what may be done there; beneath a folder, to all that is in it.

    The output can hold files and folders only: no symlink, fifo, socket or device can be made there or moved there.
    To execute what it has written is no more than to have it interpreted, and so allowed.
    """
    for folder in _SYSTEM_FOLDERS:
        yield folder, RUN
    for path in _SYSTEM_CONFIGURATION:
        yield path, READ
    for name in sorted(os.listdir("/etc")):
        if name.startswith(_PYTHON_CONFIGURATION):
            yield f"/etc/{name}", READ
    yield from _DEVICES.items()
    yield order.program_folder, RUN
    yield order.input, READ
    yield order.output, CHANGE
    yield order.home, CHANGE | Right.MAKE_SYM | Right.MAKE_FIFO
