"""Custom commands that want out: to the network, to files, to metadata. Each attempt succeeds outside the sandbox.

Every attack is made by oneself and by nobody, with all walls, without namespaces, and with the Landlock of Linux 5.13.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.commands import EVERY_BENCH, Bench, a_bench, a_bench_for, clear, done, named, refused


@pytest.fixture(params=EVERY_BENCH, ids=named)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench_for(*request.param)


# -- the network -----------------------------------------------------------------------------------------------------

_CONNECT = """
tcp, udp, path, datagrams, abstract = sys.argv[1:]
def connect(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(2)
        s.connect(address)
        s.send(b"out")
def by_a_pair():
    ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.sendto(b"out", datagrams)
attempt("tcp", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(tcp))))
attempt("udp", lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int(udp))))
attempt("path", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, path))
attempt("datagram", by_a_pair)
attempt("abstract", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, chr(0) + abstract))
"""


def test_no_socket_reaches_anybody(bench: Bench) -> None:
    kinds = ("tcp", "udp", "path", "datagram", "abstract")
    abstract = bench.scratch.name
    addresses: dict[str, tuple[int, int, tuple[str, int] | str]] = {
        "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        "path": (socket.AF_UNIX, socket.SOCK_STREAM, str(bench.scratch / "outside/stream")),
        "datagram": (socket.AF_UNIX, socket.SOCK_DGRAM, str(bench.scratch / "outside/datagram")),
        "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{abstract}"),
    }
    servers = {}
    for name, (family, kind, address) in addresses.items():
        servers[name] = socket.socket(family, kind)
        servers[name].bind(address)
        if kind == socket.SOCK_STREAM:
            servers[name].listen()
    bench.hand_over()
    words = (
        str(servers["tcp"].getsockname()[1]),
        str(servers["udp"].getsockname()[1]),
        str(bench.scratch / "outside/stream"),
        str(bench.scratch / "outside/datagram"),
        abstract,
    )
    try:
        assert bench.attempts(_CONNECT, *words) == refused(*kinds)
        for server in servers.values():
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.recv(16) if server.type == socket.SOCK_DGRAM else server.accept()
        assert bench.attempts_outside(_CONNECT, *words) == done(*kinds)
    finally:
        for server in servers.values():
            server.close()


def test_no_socket_of_any_other_family_can_be_made(bench: Bench) -> None:
    script = """
for name, family, kind in (("ipv6", 10, 1), ("netlink", 16, 3), ("vsock", 40, 1), ("unix", 1, 2), ("sequence", 1, 5)):
    attempt(name, lambda: socket.socket(family, kind).close())
attempt("pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
"""
    inside, outside = bench.attempts(script), bench.attempts_outside(script)
    assert inside == refused("ipv6", "netlink", "vsock", "unix", "sequence", "pair")
    assert {name for name, what in outside.items() if what == "done"} >= {"netlink", "unix", "sequence", "pair"}


def test_io_uring_which_makes_sockets_without_the_call_for_it_is_not_there(bench: Bench) -> None:
    script = 'attempt("io_uring", lambda: raw(425, 4, ctypes.create_string_buffer(120)))'
    if bench.attempts_outside(script) != done("io_uring"):
        pytest.skip("this machine has io_uring switched off")
    assert bench.attempts(script) == refused("io_uring")


def test_a_pair_of_stream_sockets_is_only_a_pipe(bench: Bench) -> None:
    script = """
ours, theirs = socket.socketpair()
attempt("pipe", lambda: (ours.send(b"x"), theirs.recv(1)))
attempt("bind", lambda: ours.bind(os.path.join(output, "socket")))
attempt("connect", lambda: ours.connect(sys.argv[1]))
attempt("sendto", lambda: ours.sendto(b"x", sys.argv[1]))
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(bench.scratch / "outside/datagram"))
        bench.hand_over()
        found = bench.attempts(script, server.getsockname())
    assert found == done("pipe") | refused("bind", "connect", "sendto")


# -- what can be read ------------------------------------------------------------------------------------------------


def test_nothing_of_the_users_or_the_machines_can_be_read(bench: Bench) -> None:
    script = """
secret = sys.argv[1]
attempt("parent", lambda: open("/proc/%d/environ" % os.getppid()).read())
for name in ("/etc/passwd", "/etc/hostname", "/proc/self/environ", "/proc/1/cmdline", secret):
    attempt(name, lambda: open(name).read())
for name in ("/", "/etc", "/tmp", "/home", "/proc", "/run", os.path.dirname(secret), os.path.dirname(output)):
    attempt(name, lambda: os.listdir(name))
"""
    secret = str(bench.scratch / "outside/file")
    inside, outside = bench.attempts(script, secret), bench.attempts_outside(script, secret)
    assert set(inside.values()) == {"refused"}
    if bench.user is not None:
        assert outside.pop("parent") == "refused"  # the parent is this test, which is somebody else
    assert outside == dict.fromkeys(outside, "done")


def test_the_root_user_does_not_read_the_shadow_file() -> None:
    if os.geteuid() != 0:
        pytest.skip("nobody else can read it anyway")
    bench = a_bench()
    script = 'attempt("shadow", lambda: open("/etc/shadow").read())'
    try:
        assert bench.attempts_outside(script) == done("shadow")
        assert bench.attempts(script) == refused("shadow")
    finally:
        clear(bench)


def test_the_environment_is_the_promised_one_and_no_descriptor_is_inherited(bench: Bench) -> None:
    secret = os.open(bench.scratch / "outside/file", os.O_RDONLY)
    os.set_inheritable(secret, True)
    os.environ["GITHUB_TOKEN"] = "a-secret"  # the environment is restored after each test
    script = """
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
print(sorted(os.environ))
print([number for number in range(65536) if is_open(number)], os.read(0, 1))
"""
    try:
        outcome = bench.run("python3", "-c", "import os" + script)
    finally:
        os.close(secret)
    assert outcome.printed.splitlines() == [
        "['AGENT_SYNC_INPUT', 'AGENT_SYNC_OUTPUT', 'HOME', 'LANG', 'PATH', 'SOURCE_DATE_EPOCH', 'TMPDIR', 'TZ']",
        "[0, 1, 2] b''",
    ]


# -- what can be written ---------------------------------------------------------------------------------------------


def test_nothing_is_written_outside_the_output(bench: Bench) -> None:
    script = """
outside, foreign = sys.argv[1:]
def write(path, flags=os.O_WRONLY):
    os.close(os.open(path, flags, 0o644))
attempt("append", lambda: write(outside + "/file", os.O_WRONLY | os.O_APPEND))
attempt("create", lambda: write(outside + "/new", os.O_WRONLY | os.O_CREAT))
attempt("input", lambda: write("a.md"))
attempt("input-new", lambda: write("new.md", os.O_WRONLY | os.O_CREAT))
attempt("program", lambda: write(foreign + "/run.sh"))
attempt("tmp", lambda: (write(name := "/tmp/%d" % os.getpid(), os.O_WRONLY | os.O_CREAT), os.unlink(name)))
attempt("shm", lambda: (write(name := "/dev/shm/%d" % os.getpid(), os.O_WRONLY | os.O_CREAT), os.unlink(name)))
attempt("temporary", lambda: write(outside, os.O_WRONLY | os.O_TMPFILE))
attempt("directory", lambda: os.mkdir(outside + "/directory"))
attempt("symlink", lambda: os.symlink("x", outside + "/symlink"))
attempt("fifo", lambda: os.mkfifo(outside + "/fifo"))
attempt("link", lambda: os.link(outside + "/file", outside + "/link"))
attempt("rename", lambda: os.rename(outside + "/file", outside + "/renamed"))
attempt("unlink", lambda: os.unlink(inside + "/sub/b.md"))
attempt("rmdir", lambda: os.rmdir(inside + "/sub"))
attempt("replace-output", lambda: os.rename(output, output + "-taken"))
"""
    bench.write({"program/run.sh": "true\n"})
    words = (str(bench.scratch / "outside"), str(bench.scratch / "program"))
    before = contents(bench.scratch)
    inside = bench.attempts(script, *words)
    assert set(inside.values()) == {"refused"}
    assert contents(bench.scratch) == before
    assert bench.attempts_outside(script, *words) == dict.fromkeys(inside, "done")


def test_a_file_outside_is_not_truncated_by_any_of_the_ways(bench: Bench) -> None:
    """Before Linux 6.2 Landlock sees neither truncate nor O_TRUNC of what is opened for reading."""
    script = """
def opened(flags):
    os.close(os.open(inside + "/a.md", flags))
attempt("truncate", lambda: os.truncate(inside + "/a.md", 0))
attempt("reading", lambda: opened(os.O_RDONLY | os.O_TRUNC))
attempt("neither", lambda: opened(3 | os.O_TRUNC))
attempt("writing", lambda: opened(os.O_WRONLY | os.O_TRUNC))
"""
    assert bench.attempts(script) == refused("truncate", "reading", "neither", "writing")
    assert (bench.scratch / "input/a.md").read_text() == "first\n"
    assert bench.attempts_outside(script) == done("truncate", "reading", "neither", "writing")
    assert (bench.scratch / "input/a.md").read_text() == ""


def test_the_output_can_hold_nothing_but_files_and_directories(bench: Bench) -> None:
    """A symlink to /etc/shadow in the output would be read by whoever installs it."""
    script = """
attempt("symlink", lambda: os.symlink("/etc/shadow", output + "/symlink"))
attempt("fifo", lambda: os.mkfifo(output + "/fifo"))
attempt("whiteout", lambda: os.mknod(output + "/device", 0o020644, 0))
attempt("hardlink", lambda: os.link(inside + "/a.md", output + "/hardlink"))
os.symlink("/etc/shadow", home + "/symlink")
attempt("moved", lambda: os.rename(home + "/symlink", output + "/moved"))
"""
    assert bench.attempts(script) == refused("symlink", "fifo", "whiteout", "hardlink", "moved")
    assert contents(bench.output) == {}


# -- metadata, which Landlock does not see ---------------------------------------------------------------------------

_METADATA = """
directory = sys.argv[1]
file = directory + "/file"
def by_path_descriptor(path):
    opened = os.open(path, os.O_PATH)
    os.chmod("/proc/self/fd/%d" % opened, 0o777)
def by_directory(change):
    opened = os.open(directory, os.O_PATH)
    change(opened)
def by_empty_path():
    raw(FCHMODAT2, os.open(file, os.O_PATH), b"", 0o777, 0x1000)
def by_symlink():
    os.symlink(file, home + "/symlink")
    os.chmod(home + "/symlink", 0o777)
def by_a_way_around():
    os.chmod(os.path.join(output, os.path.relpath(file, output)), 0o777)
FCHMODAT2 = 452
attempt("chmod", lambda: os.chmod(file, 0o777))
attempt("chmod-input", lambda: os.chmod("a.md", 0o777))
attempt("fchmod", lambda: os.fchmod(os.open("a.md", os.O_RDONLY), 0o777))
attempt("path-descriptor", lambda: by_path_descriptor(file))
attempt("fchmodat", lambda: by_directory(lambda opened: os.chmod("file", 0o777, dir_fd=opened)))
attempt("empty-path", by_empty_path)
attempt("symlink", by_symlink)
attempt("dots", by_a_way_around)
attempt("utime", lambda: os.utime(file, (1, 1)))
attempt("futimens", lambda: os.utime(os.open("a.md", os.O_RDONLY), (1, 1)))
attempt("utime-now", lambda: os.utime(file))
attempt("chown", lambda: os.chown(file, os.getuid(), os.getgid()))
attempt("lchown", lambda: os.lchown(file, os.getuid(), os.getgid()))
attempt("fchown", lambda: os.fchown(os.open("a.md", os.O_RDONLY), os.getuid(), os.getgid()))
attempt("setxattr", lambda: os.setxattr(file, "user.name", b"value"))
"""
_FLAGS = """
def set_flags():
    opened = os.open("a.md", os.O_RDONLY)
    flags = bytearray(8)
    fcntl.ioctl(opened, 0x80086601, flags)
    fcntl.ioctl(opened, 0x40086602, flags)
attempt("flags", set_flags)
"""


def test_no_metadata_outside_is_changed_by_any_of_the_ways(bench: Bench) -> None:
    directory = bench.scratch / "outside"
    before = metadata(bench.scratch)
    inside = bench.attempts(_METADATA, str(directory))
    assert set(inside.values()) == {"refused"}
    assert metadata(bench.scratch) == before
    outside = bench.attempts_outside(_METADATA, str(directory))
    assert {name for name, what in outside.items() if what == "refused"} <= {"empty-path", "setxattr"}  # older systems
    assert outside.keys() == inside.keys()
    assert metadata(bench.scratch) != before


def test_no_flags_of_a_file_that_is_open_for_reading_are_changed(bench: Bench) -> None:
    assert bench.attempts(_FLAGS) == refused("flags")
    if bench.attempts_outside(_FLAGS) != done("flags"):
        pytest.skip("the file system of the scratch directory has no flags")


def test_no_race_between_symlink_and_directory_makes_the_supervisor_change_a_file_outside(bench: Bench) -> None:
    """The path is looked up by a process outside the sandbox: the confused deputy that such races are made for."""
    script = """
target = sys.argv[1]
os.mkdir(home + "/real")
open(home + "/real/file", "w").close()
os.symlink(target, home + "/link")
stop = time.monotonic() + 1.5
def swap():
    while time.monotonic() < stop:
        for name in ("real", "link"):
            try:
                os.rename(home + "/" + name, home + "/here")
                os.rename(home + "/here", home + "/" + name)
            except OSError:
                pass
threading.Thread(target=swap).start()
changed = 0
while time.monotonic() < stop:
    try:
        os.chmod(home + "/here/file", 0o755)
        changed += 1
    except OSError:
        pass
attempt("%d" % (changed > 0), lambda: None)
"""
    assert bench.attempts(script, str(bench.scratch / "outside")) == done("1")
    assert stat.S_IMODE((bench.scratch / "outside/file").stat().st_mode) == 0o644


def test_wild_pointers_and_descriptors_hurt_only_the_one_who_passes_them(bench: Bench) -> None:
    script = """
CHMODAT, UTIMENSAT = {"x86_64": (268, 280), "aarch64": (53, 88)}[os.uname().machine]
number = 0
for address in (0, 1, 4096, 2**47 - 1, 2**56, 2**63 - 1, -1, -4096):
    for directory in (-100, 0, 1, 77, -1, 2**31 - 1):
        attempt("mode%d" % number, lambda: raw(CHMODAT, directory, address, 0o644, 0))
        attempt("time%d" % number, lambda: raw(UTIMENSAT, directory, b"nowhere", address or 1, 0))
        number += 1
attempt("long", lambda: raw(CHMODAT, -100, b"x" * 5000, 0o644, 0))
attempt("digits", lambda: raw(CHMODAT, -100, b"/proc/self/fd/" + b"9" * 4000, 0o644, 0))
attempt("bytes", lambda: raw(CHMODAT, -100, bytes(range(1, 256)), 0o644, 0))
attempt("alive", lambda: os.chmod(output, 0o755))
"""
    found = bench.attempts(script)
    assert found.pop("alive") == "done"
    assert set(found.values()) == {"refused"}
    assert len(found) == 99


def contents(directory: Path) -> dict[str, bytes]:
    """Name -> content of everything in the directory; of what is no file, its kind."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else bytes([path.lstat().st_mode >> 12])
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def metadata(directory: Path) -> list[tuple[str, int, int, int, int, list[str]]]:
    """Name, mode, owner, group, time of modification and extended attributes of what a command may not change."""
    found = []
    for path in sorted(
        (directory / "outside", directory / "input", *directory.glob("outside/*"), *directory.glob("input/*"))
    ):
        seen = path.stat()
        found.append((str(path), seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, os.listxattr(path)))
    return found
