"""The system calls that the kernel holds back until the supervisor has answered (seccomp_unotify(2)).

Metadata: chmod, chown and utime mean nothing to Landlock, and a filter sees only pointers. So the supervisor reads
the path out of the caller's memory, opens what it names *beneath the output or the home* with
openat2(RESOLVE_BENEATH), which no race of renames and symlinks leaves, and changes what it has opened. Anything else
is EPERM. That works on every kernel that has Landlock, for root and for others; a read-only mount would need a user
namespace, which many machines forbid. Programs rely on it: `chmod +x`, `cp -p`, `touch`, `tar -x`, `shutil.copytree`.
Owners are not part of a result: to change one succeeds, inside, and changes nothing.

Signals, where Landlock cannot scope them: only numbers are passed, so the supervisor looks whether the receiver is in
the command's process group and lets the call go on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from agent_sync.adapters.sandbox.kernel import call, own_architecture, set_times
from agent_sync.adapters.sandbox.seccomp import SIGNALS

_RECEIVE, _SEND, _STILL_WAITS = 0xC0502100, 0xC0182101, 0x40082102
_REQUEST = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif with its seccomp_data
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_GO_ON = 1

_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = -100, 0x100, 0x1000
_NO_MAGIC_LINKS, _BENEATH = 0x02, 0x08
_OWN_DESCRIPTORS = "/proc/self/fd/"
_MAX_PATH_BYTES, _PAGE_BYTES, _TIMES_BYTES, _END_OF_MEMORY = 4096, 4096, 32, 1 << 56


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which arguments are the directory, the path, the flags; without a path, the directory is the file itself."""

    directory: int | None
    path: int | None
    flags: int | None = None
    follows: bool = True


_SHAPES = {
    "chmod": _Shape(None, 0),
    "fchmod": _Shape(0, None),
    "fchmodat": _Shape(0, 1),
    "fchmodat2": _Shape(0, 1, 3),
    "chown": _Shape(None, 0),
    "lchown": _Shape(None, 0, follows=False),
    "fchown": _Shape(0, None),
    "fchownat": _Shape(0, 1, 4),
    "utimensat": _Shape(0, 1, 3),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One held-back call of the thread `caller`; `arguments` are its six registers, unsigned."""

    id: int
    caller: int
    name: str
    arguments: tuple[int, ...]

    def number(self, index: int | None, default: int = 0) -> int:
        """Return the argument at `index` as a C int."""
        return default if index is None else (self.arguments[index] & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


class Requests:
    """Answers calls heard on `listener`. What is beneath `directories` may be changed, the `group` signalled."""

    def __init__(self, listener: int, *, group: int, directories: Sequence[str]) -> None:
        self._listener = listener
        self._group = group
        self._directories = [(directory, os.open(directory, os.O_PATH | os.O_CLOEXEC)) for directory in directories]
        machine = own_architecture()
        self._names = {} if machine is None else {number: name for name, number in machine.numbers.items()}

    def answer(self) -> None:
        """Answer one waiting request; nothing happens if its caller has been killed meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            request = self._receive()
            try:
                flags = self._carry_out(request)
                response = _RESPONSE.pack(request.id, 0, 0, flags)
            except OSError as error:
                response = _RESPONSE.pack(request.id, 0, -_for_the_caller(error), 0)
            fcntl.ioctl(self._listener, _SEND, response)

    def _receive(self) -> Request:
        buffer = bytearray(_REQUEST.size)
        fcntl.ioctl(self._listener, _RECEIVE, buffer)
        identity, caller, _, number, _, _, *arguments = _REQUEST.unpack(buffer)
        return Request(identity, caller, self._names.get(number, ""), tuple(arguments))

    def _carry_out(self, request: Request) -> int:
        """Make the change and return the flags of the answer. Raise OSError with what the caller shall see."""
        if request.name in SIGNALS:
            self._demand_own(request)
            return _GO_ON
        if request.name not in _SHAPES:
            raise _error(errno.ENOSYS)
        opened = self._open(request)
        try:
            _change(request, f"/proc/self/fd/{opened}")
        finally:
            os.close(opened)
        return 0

    def _demand_own(self, request: Request) -> None:
        receiver = request.number(0)
        if receiver > 0:
            receiver = -os.getpgid(receiver)
        if receiver not in (0, -self._group) or (receiver == 0 and request.name != "kill"):
            raise _error(errno.EPERM)

    def _open(self, request: Request) -> int:
        """Return a descriptor (O_PATH) of the file that the call names, beneath one of the directories."""
        shape = _SHAPES[request.name]
        flags = request.number(shape.flags)
        start, path = _named(request, shape)
        fcntl.ioctl(self._listener, _STILL_WAITS, struct.pack("=Q", request.id))  # what was read was the caller's
        if path:
            follow = shape.follows and not flags & _AT_SYMLINK_NOFOLLOW
            return self._open_beneath(os.path.join(os.readlink(start), path), follow=follow)
        opened = self._open_beneath(os.readlink(start), follow=False)
        if not os.path.samestat(os.fstat(opened), os.stat(start)):
            os.close(opened)  # the descriptor's file has lost its name
            raise _error(errno.EPERM)
        return opened

    def _open_beneath(self, path: str, *, follow: bool) -> int:
        flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        how = struct.pack("=QQQ", flags, 0, _BENEATH | _NO_MAGIC_LINKS)  # struct open_how
        for directory, opened in self._directories:
            if path == directory or path.startswith(f"{directory}/"):
                rest = os.fsencode(path[len(directory) :].lstrip("/") or ".")
                return call("openat2", opened, rest, how, len(how))
        raise _error(errno.EPERM)


def _named(request: Request, shape: _Shape) -> tuple[str, str]:
    """Return a magic link to where the call starts, and the path from there: empty if the link leads to the file."""
    descriptor = request.number(shape.directory, _AT_FDCWD)
    address = 0 if shape.path is None else request.arguments[shape.path]
    path = os.fsdecode(_read(request.caller, address, _MAX_PATH_BYTES, text=True)) if address else ""
    if shape.path is not None and not path:
        if not address and request.name != "utimensat":
            raise _error(errno.EFAULT)
        if address and not request.number(shape.flags) & _AT_EMPTY_PATH:
            raise _error(errno.ENOENT)
    if path.startswith(_OWN_DESCRIPTORS) and path[len(_OWN_DESCRIPTORS) :].isdigit():
        descriptor, path = int(path[len(_OWN_DESCRIPTORS) :]), ""  # how C libraries change what O_PATH has opened
    return f"/proc/{request.caller}/" + ("cwd" if descriptor == _AT_FDCWD else f"fd/{descriptor}"), path


def _change(request: Request, opened: str) -> None:
    match request.name:
        case "chmod" | "fchmod":
            _set_mode(opened, request.arguments[1])
        case "fchmodat" | "fchmodat2":
            _set_mode(opened, request.arguments[2])
        case "utimensat":
            address = request.arguments[2]
            set_times(opened, _read(request.caller, address, _TIMES_BYTES, text=False) if address else None)
        case _:
            pass  # an owner


def _set_mode(opened: str, mode: int) -> None:
    """Set the permission bits alone, and never fewer than we need to measure, and our caller to read, the file."""
    own = 0o700 if stat.S_ISDIR(os.stat(opened).st_mode) else 0o600
    os.chmod(opened, mode & 0o777 | own)


def _read(caller: int, address: int, size: int, *, text: bool) -> bytes:
    """Return `size` bytes of the caller's memory, or, of a text, those before its NUL. Raise OSError."""
    found = b""
    with open(f"/proc/{caller}/mem", "rb", buffering=0) as memory:
        while len(found) < size:
            at = address + len(found)
            if at >= _END_OF_MEMORY:
                break
            chunk = os.pread(memory.fileno(), min(size - len(found), _PAGE_BYTES - at % _PAGE_BYTES), at)
            if not chunk:
                break
            found += chunk
            if text and b"\0" in chunk:
                return found[: found.index(b"\0")]
    if text or len(found) < size:
        raise _error(errno.EFAULT)
    return found


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _for_the_caller(error: OSError) -> int:
    """Return the errno for the caller: what is outside is forbidden, not on another device."""
    return errno.EPERM if error.errno in (None, errno.EXDEV) else error.errno
