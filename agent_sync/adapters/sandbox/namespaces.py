"""A second wall, where the kernel lets this user build one: own user, network, mount, IPC and host name namespaces.

Landlock and seccomp hold without them (an unprivileged user namespace is forbidden on many machines and in most
containers). With them there is no network interface to reach, and every mount is read-only but the two folders. There
is no process namespace: Landlock and seccomp keep signals and tracing inside, and the supervisor ends all that is
left.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from agent_sync.adapters.sandbox.kernel import call

_NEW_USER, _NEW_NETWORK, _NEW_MOUNTS, _NEW_IPC, _NEW_NAMES = 0x10000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000
_BIND, _PRIVATE_AND_BELOW = 0x1000, 0x40000 | 0x4000
_READ_ONLY, _AND_BELOW, _HERE = 1, 0x8000, -100


def enter(*, writable: Sequence[str]) -> None:
    """This process is in namespaces of its own, with the same ids; only `writable` folders can be written.

    Raises OSError; the process may then be half inside and must not be used.
    """
    user, group = os.geteuid(), os.getegid()
    call("unshare", _NEW_USER | _NEW_NETWORK | _NEW_MOUNTS | _NEW_IPC | _NEW_NAMES)
    _write("setgroups", "deny")  # the kernel's price for the next line
    _write("gid_map", f"{group} {group} 1")
    _write("uid_map", f"{user} {user} 1")
    call("mount", None, b"/", None, _PRIVATE_AND_BELOW, None)
    for folder in writable:
        call("mount", os.fsencode(folder), os.fsencode(folder), None, _BIND, None)
    call("mount_setattr", _HERE, b"/", _AND_BELOW, *_attributes(set_flags=_READ_ONLY))
    for folder in writable:
        call("mount_setattr", _HERE, os.fsencode(folder), 0, *_attributes(clear_flags=_READ_ONLY))


def _write(name: str, text: str) -> None:
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


def _attributes(*, set_flags: int = 0, clear_flags: int = 0) -> tuple[bytes, int]:
    """`struct mount_attr` and its size."""
    packed = struct.pack("=QQQQ", set_flags, clear_flags, 0, 0)
    return packed, len(packed)
