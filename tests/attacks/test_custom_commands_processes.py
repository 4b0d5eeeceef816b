"""Custom commands that go for the kernel and for other processes; what is tried on those succeeds outside."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.builders.commands import EVERY_BENCH, PRELUDE, Bench, Outcome, a_bench_for, done, named, refused


@pytest.fixture(params=EVERY_BENCH, ids=named)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench_for(*request.param)


# -- the kernel ------------------------------------------------------------------------------------------------------


def test_no_call_that_leaves_the_sandbox_or_widens_the_kernel_is_there(bench: Bench) -> None:
    script = """
CALLS = {  # name: x86_64, aarch64
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "mount": (165, 40), "umount": (166, 39), "unshare": (272, 97),
    "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "bpf": (321, 280), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "memfd_create": (319, 279), "fsopen": (430, 430),
    "open_tree": (428, 428), "move_mount": (429, 429), "mount_setattr": (442, 442), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440), "kcmp": (312, 272),
    "inotify_init1": (294, 26), "fanotify_init": (300, 262), "clone3": (435, 435), "openat2": (437, 437),
    "io_setup": (206, 0), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "shmget": (29, 194),
    "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "seccomp": (317, 277), "landlock": (444, 444),
    "personality": (135, 92), "sethostname": (170, 161), "settimeofday": (164, 170), "swapon": (167, 224),
    "acct": (163, 89), "quotactl": (179, 60), "init_module": (175, 105), "finit_module": (313, 273),
    "kexec_load": (246, 104), "syslog": (103, 116), "iopl": (172, -1), "vhangup": (153, 58), "setsid": (112, 157),
    "setpgid": (109, 154), "setpriority": (141, 140), "sched_setaffinity": (203, 122), "migrate_pages": (256, 238),
    "setxattrat": (463, 463), "file_setattr": (469, 469), "utimes": (235, -1), "remap_file_pages": (216, 234),
}
column = ("x86_64", "aarch64").index(os.uname().machine)
for name, numbers in CALLS.items():
    attempt(name, lambda: raw(numbers[column], 0, 0, 0, 0, 0, 0))
CLONE = (56, 220)[column]
for name, flag in {"user": 0x10000000, "net": 0x40000000, "mnt": 0x20000, "pid": 0x20000000}.items():
    def in_namespace():
        if raw(CLONE, flag | signal.SIGCHLD, 0, 0, 0, 0) == 0:
            os._exit(0)
    attempt("clone-" + name, in_namespace)
"""
    outcome = bench.run("python3", "-c", PRELUDE + script)
    codes = dict(line.split(" refused: ") for line in outcome.printed.splitlines() if " refused: " in line)
    assert len(codes) == len(outcome.printed.splitlines()), outcome.printed
    assert {"ptrace", "clone-pid"} <= codes.keys()
    assert set(codes.values()) == {
        "EPERM",
        "ENOSYS",
    }  # and not EINVAL or EFAULT, which would be the kernel's own answer


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the 32-bit entry is x86-64's")
def test_a_call_through_the_32_bit_entry_ends_the_process(bench: Bench) -> None:
    """`int 0x80` counts its calls differently: 359 is socket there, and nothing at all here."""
    script = """
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000" "cd80" "c3"))  # mov eax, getpid; int 0x80; ret
number = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("32-bit", "done" if number == os.getpid() else "refused:", flush=True)
os._exit(0)
"""
    if bench.attempts_outside(script) != done("32-bit"):
        pytest.skip("this kernel has no 32-bit entry")
    outcome = bench.run("python3", "-c", PRELUDE + script)
    assert outcome == Outcome(-signal.SIGSYS, "")


def test_no_capability_is_left_and_none_is_gained(bench: Bench) -> None:
    shutil.copy("/usr/bin/id", bench.scratch / "program/id")
    bench.hand_over()
    if os.geteuid() == 0:
        os.chown(bench.scratch / "program/id", 0, 0)
        (bench.scratch / "program/id").chmod(0o4755)
    script = """
CAPGET = {"x86_64": 125, "aarch64": 90}[os.uname().machine]
found = ctypes.create_string_buffer(24)
raw(CAPGET, struct.pack("=Ii", 0x20080522, 0), found)
print(found.raw.hex(), libc.prctl(23, 21, 0, 0, 0))
"""
    outcome = bench.run("python3", "-c", PRELUDE + script)
    assert outcome.printed.split()[0] == "0" * 48
    if bench.walls.namespaces or (bench.user is None and os.geteuid() == 0):
        assert outcome.printed.split()[1] == "0"  # not even in the set that a root program starts from
    assert bench.run("./id", "-u").printed == f"{os.geteuid() if bench.user is None else bench.user}\n"


# -- other processes -------------------------------------------------------------------------------------------------

_SIGNALS = """
victim, way = int(sys.argv[1]), sys.argv[2]
TGKILL, TKILL, QUEUE, TGQUEUE = {"x86_64": (234, 200, 129, 297), "aarch64": (131, 130, 138, 240)}[os.uname().machine]
siginfo = struct.pack("=iii", signal.SIGKILL, 0, -1) + bytes(116)
def owner():
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, victim)
    fcntl.fcntl(reading, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writing, b"x")
ways = {
    "kill": lambda: os.kill(victim, signal.SIGKILL),
    "group": lambda: os.killpg(os.getpgid(victim), signal.SIGKILL),
    "tkill": lambda: raw(TKILL, victim, signal.SIGKILL),
    "tgkill": lambda: raw(TGKILL, victim, victim, signal.SIGKILL),
    "queue": lambda: raw(QUEUE, victim, signal.SIGKILL, siginfo),
    "tgqueue": lambda: raw(TGQUEUE, victim, victim, signal.SIGKILL, siginfo),
    "pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGKILL),
    "owner": owner,
}
for name, do in ways.items():
    if way in ("all", name):
        attempt(name, do)
"""
_WAYS = ("kill", "group", "tkill", "tgkill", "queue", "tgqueue", "pidfd", "owner")


@contextlib.contextmanager
def a_victim(bench: Bench) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user outside, in a group of its own."""
    extra: list[int] | None = None if bench.user is None else []
    victim = subprocess.Popen(
        ["/bin/sleep", "60"], start_new_session=True, user=bench.user, group=bench.user, extra_groups=extra
    )
    try:
        yield victim
    finally:
        victim.kill()
        victim.wait()


def test_no_signal_reaches_a_process_outside(bench: Bench) -> None:
    with a_victim(bench) as victim:
        assert bench.attempts(_SIGNALS, str(victim.pid), "all") == refused(*_WAYS)
        assert victim.poll() is None


@pytest.mark.parametrize("way", _WAYS)
def test_outside_the_sandbox_each_of_these_signals_kills(way: str) -> None:
    for bench in a_bench_for(*EVERY_BENCH[0]):
        with a_victim(bench) as victim:
            assert bench.attempts_outside(_SIGNALS, str(victim.pid), way) == done(way)
            assert victim.wait(10) == -signal.SIGKILL


def test_neither_limits_nor_priorities_of_other_processes_can_be_changed(bench: Bench) -> None:
    script = """
victim = int(sys.argv[1])
import resource
attempt("limits", lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (9, 9)))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, victim, 19))
attempt("affinity", lambda: os.sched_setaffinity(victim, {0}))
attempt("scheduler", lambda: os.sched_setscheduler(victim, os.SCHED_BATCH, os.sched_param(0)))
attempt("memory", lambda: open("/proc/%d/mem" % victim, "r+b"))
"""
    names = ("limits", "priority", "affinity", "scheduler", "memory")
    with a_victim(bench) as victim:
        assert bench.attempts(script, str(victim.pid)) == refused(*names)
        outside = bench.attempts_outside(script, str(victim.pid))
        assert outside | done("memory") == done(*names)  # the last needs the same parent, where ptrace is restricted


def test_a_command_can_still_signal_its_own(bench: Bench) -> None:
    script = """
import subprocess
child = subprocess.Popen(["sleep", "30"])
attempt("child", child.kill)
attempt("reaped", lambda: print(child.wait()))
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
attempt("oneself", lambda: os.kill(os.getpid(), signal.SIGUSR1))
attempt("thread", lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))
attempt("group", lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN) and os.kill(0, signal.SIGUSR2))
attempt("heard%d" % len(heard), lambda: None)
"""
    assert bench.attempts(script) == done("child", "reaped", "oneself", "thread", "group", "heard2")
    assert bench.run("python3", "-c", "import os; os.abort()").exit_code == -signal.SIGABRT
