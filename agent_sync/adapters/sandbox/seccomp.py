"""Decide which system calls a custom command may make, and build the seccomp filter that enforces this.

An allow list, not a deny list: whatever the next kernel invents (a new way to open, to mount, to connect) is refused
until somebody has argued for it here. A call that is not named fails with ENOSYS, as on an older kernel, the answer
for which C libraries and language runtimes have a second way; the best known of the refused fail with EPERM, which
tells a person more.

What may be allowed at all is decided together with Landlock (landlock.py), which guards every *opening, making,
moving and removing* of files, and nothing else. So allowed are: calls on the caller's own memory, threads, time and
open files, and calls that Landlock guards. Not allowed are:

- the network: no socket can be made, so none can be bound or connected, whatever its family (TCP, UDP, netlink,
  vsock, path and abstract unix sockets). A pair of connected stream sockets is a pipe and is allowed; a pair of
  *datagram* sockets is not, since `sendto` takes it to any socket in the file system. io_uring makes sockets without
  `socket`: not named.
- metadata: Landlock does not see chmod, chown, utime and their kin. They are handed to the supervisor (requests.py),
  which does them inside the output and the temporary home and refuses them elsewhere. Extended attributes do not
  exist.
- truncation by a way that Landlock misses before Linux 6.2 (`truncate`, and opening for *reading* with O_TRUNC);
  access mode 3, with which a device opens for ioctl alone and Landlock sees neither reading nor writing.
- other processes: no tracing, no limits or priorities of others, no ownership of signals (`F_SETOWN` sends one to
  anybody), no signals to others: Landlock scopes them since Linux 6.12, before that the supervisor looks at each
  one's receiver.
- leaving the process group (`setsid`, `setpgid`): the group is how one kill reaches every descendant at once.
- namespaces, mounts, keys, bpf, perf, userfaultfd, handles, inotify (it would tell what the user does), and every
  call behind a pointer that a filter cannot look into where a plainer one exists (`clone3`, `openat2`).
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from agent_sync.adapters.sandbox.kernel import Architecture, call

_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Check:
    """The low 32 bits of the argument at `index`, masked, must be one of `values`."""

    index: int
    values: tuple[int, ...]
    mask: int = _ALL


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call goes ahead if every check holds; otherwise it fails with `error`."""

    checks: tuple[Check, ...] = ()
    error: int = errno.EPERM


@dataclass(frozen=True, slots=True)
class Refused:
    """The call fails with `error`."""

    error: int = errno.EPERM


@dataclass(frozen=True, slots=True)
class Supervised:
    """The call waits for the supervisor's answer."""


Verdict = Allowed | Refused | Supervised


def verdicts(*, signals_scoped: bool, truncation_seen: bool) -> Mapping[str, Verdict]:
    """Return what happens to each system call, by name; a call without an entry does not exist for the command.

    `signals_scoped`: Landlock keeps signals inside. `truncation_seen`: Landlock guards truncation.
    """
    table: dict[str, Verdict] = dict.fromkeys(_ALLOWED.split(), Allowed())
    table |= dict.fromkeys(_REFUSED.split(), Refused())
    table |= dict.fromkeys(_WITHOUT_ATTRIBUTES.split(), Refused(errno.EOPNOTSUPP))
    table |= dict.fromkeys(METADATA, Supervised())
    table |= _CHECKED
    if not signals_scoped:
        table |= dict.fromkeys(SIGNALS, Supervised())
    if not truncation_seen:
        table["truncate"] = Refused()
    return table


_ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2 dup3
    pipe pipe2 sendfile copy_file_range splice tee fsync fdatasync sync_file_range fadvise64 readahead flock
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime

    stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat statfs fstatfs
    getdents getdents64 getcwd chdir fchdir umask
    creat mkdir mkdirat mknod mknodat link linkat symlink symlinkat rename renameat renameat2
    unlink unlinkat rmdir truncate ftruncate fallocate

    sendto recvfrom sendmsg recvmsg shutdown getsockname getpeername getsockopt

    brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall munlockall
    pkey_alloc pkey_free pkey_mprotect

    execve execveat fork vfork exit exit_group wait4 waitid
    set_tid_address set_robust_list rseq futex futex_waitv membarrier arch_prctl restart_syscall
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo rt_sigaction rt_sigprocmask rt_sigreturn
    rt_sigsuspend rt_sigpending rt_sigtimedwait sigaltstack pause

    getpid gettid getppid getpgid getpgrp getsid getuid geteuid getgid getegid getresuid getresgid getgroups
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid capget
    getrlimit setrlimit getrusage getpriority times uname sysinfo getcpu getrandom
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_getattr sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval

    time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer setitimer
    timer_create timer_settime timer_gettime timer_getoverrun timer_delete
"""

_REFUSED = """
    socket connect bind listen accept accept4 setsockopt setsid setpgid setpriority setgroups capset
    ptrace process_vm_readv process_vm_writev mount umount2 chroot pivot_root unshare setns
"""

_WITHOUT_ATTRIBUTES = """
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
"""

METADATA = ("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat", "utimensat")
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")

_O_ACCMODE, _O_TRUNC = 0o3, 0o1000
_OPEN_MODES = (0, 1, 2, 1 | _O_TRUNC, 2 | _O_TRUNC)

# CLONE_NEWTIME (to clone an exit signal that does not exist), NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_CLONE_NAMESPACES = 0x80 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

# TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FICLONE, FICLONERANGE. Not FS_IOC_SETFLAGS, which
# changes a file that is open for reading, nor FIOSETOWN, nor what devices understand.
_IOCTLS = (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x40049409, 0x4020940D)

# F_DUPFD GETFD SETFD GETFL SETFL GETLK SETLK SETLKW, F_OFD_*, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ. Not F_SETOWN
# and F_SETSIG (signals to anybody), not F_SETLEASE (makes others wait), not F_NOTIFY.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032)

# PR_SET_PDEATHSIG, GET_DUMPABLE, SET_NAME, GET_NAME, CAPBSET_READ, PR_SET_VMA
_PRCTLS = (1, 3, 15, 16, 23, 0x53564D41)

_AF_UNIX, _SOCK_STREAM, _SOCK_TYPES = 1, 1, 0xF

_CHECKED: Mapping[str, Verdict] = {
    "open": Allowed((Check(1, _OPEN_MODES, _O_ACCMODE | _O_TRUNC),)),
    "openat": Allowed((Check(2, _OPEN_MODES, _O_ACCMODE | _O_TRUNC),)),
    "clone": Allowed((Check(0, (0,), _CLONE_NAMESPACES),)),
    "ioctl": Allowed((Check(1, _IOCTLS),), errno.ENOTTY),
    "fcntl": Allowed((Check(1, _FCNTLS),), errno.EINVAL),
    "prctl": Allowed((Check(0, _PRCTLS),), errno.EINVAL),
    "prlimit64": Allowed((Check(0, (0,)),)),  # 0: the own limits
    "socketpair": Allowed((Check(0, (_AF_UNIX,)), Check(1, (_SOCK_STREAM,), _SOCK_TYPES))),
}


Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant

_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

ALLOW, ASK, KILL, FAIL = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000

_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3


def program(machine: Architecture, verdicts: Mapping[str, Verdict]) -> tuple[Instruction, ...]:
    """Return the filter: one test for each system call, in the order of their numbers; all others get ENOSYS.

    Classic BPF over one `struct seccomp_data` (seccomp(2)). A call in a foreign calling convention (32-bit on a 64-bit
    kernel) ends the process. x32 calls need no rule of their own: they come with AUDIT_ARCH_X86_64 and bit 30 set,
    which equals no number in the table, so they do not exist.
    """
    instructions: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    here = {machine.numbers[name]: verdict for name, verdict in verdicts.items() if name in machine.numbers}
    for number in sorted(here):
        body = _body(here[number])
        instructions += [(_EQUAL, 0, len(body), number), *body]
    return (*instructions, (_RETURN, 0, 0, FAIL | errno.ENOSYS))


def install(instructions: tuple[Instruction, ...]) -> int:
    """Install the filter for good; return the descriptor (close-on-exec) on which supervised calls are reported.

    Raises OSError: no seccomp filters or no listeners here, or `no_new_privs` is not set.
    """
    code = b"".join(struct.pack("=HBBI", *each) for each in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(instructions), ctypes.addressof(buffer))  # struct sock_fprog
    return call("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, header)


def _body(verdict: Verdict) -> list[Instruction]:
    match verdict:
        case Refused():
            return [(_RETURN, 0, 0, FAIL | verdict.error)]
        case Supervised():
            return [(_RETURN, 0, 0, ASK)]
        case Allowed():
            checks = [each for check in verdict.checks for each in _check(check, verdict.error)]
            return [*checks, (_RETURN, 0, 0, ALLOW)]


def _check(check: Check, error: int) -> list[Instruction]:
    """Return a test that falls through if the argument is one of the values. Both architectures are little-endian."""
    last = len(check.values) - 1
    tests = [(_EQUAL, last - place + 1, 0, value) for place, value in enumerate(check.values)]
    return [
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * check.index),
        (_AND, 0, 0, check.mask),
        *tests,
        (_RETURN, 0, 0, FAIL | error),
    ]
