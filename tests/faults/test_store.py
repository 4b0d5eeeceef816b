"""The cache on a bad day: no space, no permission, killed while writing, many processes, somebody else's directory."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from agent_sync.adapters.machine import private_directory
from agent_sync.errors import AgentSyncError, FileSystemError, UnsafePath
from agent_sync.store.contents import Contents
from agent_sync_oci.digest import Digest
from tests.builders.stores import TODAY_S, a_cache, gc, place, put, whole
from tests.builders.trees import a_packed_tree, sha256

Process = subprocess.Popen[str]
Start = Callable[..., Process]
ROOT_OF_THE_REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python in a process of its own, with a cache at hand; it says on its standard output how far it is."""
    opening = "import sys; from tests.builders.stores import *; cache = a_cache(Path(sys.argv[1]))\n"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT_OF_THE_REPOSITORY}:{ROOT_OF_THE_REPOSITORY / 'oci'}"}
    with ExitStack() as running:

        def started(program: str, *arguments: object) -> Process:
            words = [sys.executable, "-c", opening + program, *map(str, arguments)]
            process = subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True, env=environment)
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield started


def go_on(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def said(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: Process) -> int:
    process.communicate()
    return process.returncode


def blobs_below(directory: Path) -> list[str]:
    blobs = directory / "blobs" / "sha256"
    return sorted(os.listdir(blobs)) if blobs.exists() else []


# -- no space


@contextmanager
def files_no_longer_than(length: int) -> Iterator[None]:
    """The system refuses to write more than `length` bytes into any file, as it does when a disk or a quota is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)


def test_no_space_while_writing_leaves_nothing_and_says_what_to_do(directory: Path) -> None:
    cache = a_cache(directory)
    put(b"before", cache.blobs)
    with files_no_longer_than(100_000), pytest.raises(FileSystemError) as refused:
        put(bytes(200_000), cache.blobs)
    assert refused.value.subject == f"the cache {directory}"
    assert "cannot be written: " in refused.value.check
    assert "AGENT_SYNC_CACHE" in (refused.value.remedy or "")
    assert blobs_below(directory) == [Digest.of(b"before").hex]
    assert list((directory / "tmp").iterdir()) == []
    assert cache.blobs.size(put(bytes(200_000), cache.blobs)) == 200_000


def test_no_space_for_a_root_does_not_fail_a_sync(directory: Path) -> None:
    cache = a_cache(directory)
    put(b"before", cache.blobs)
    with files_no_longer_than(3):
        cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
    assert cache.roots.all() == ()
    assert list((directory / "tmp").iterdir()) == []


# -- no permission


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty directory that an ordinary user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


def as_an_ordinary_user(directory: Path, action: Callable[[], object]) -> None:
    """`action` passes in a process that may not do everything; `directory` and all in it are its own."""
    if os.geteuid() != 0:
        action()
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            status = 0
        except BaseException as error:  # noqa: BLE001  # a forked test must not go on as a second pytest
            print(f"{type(error).__name__}: {error}", file=sys.__stderr__)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def read_only(directory: Path) -> None:
    for path in (*directory.rglob("*"), directory):
        if not path.is_symlink():
            path.chmod(0o500 if path.is_dir() else 0o400)


def writable(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_a_read_only_store_is_read_and_refuses_to_be_written(open_directory: Path) -> None:
    directory = open_directory / "store"
    cache = a_cache(directory)
    packed = a_packed_tree({"a.md": "text"}, cache.blobs)
    cache.blobs.close()
    read_only(directory)

    def use() -> None:
        cache = a_cache(directory)
        with Contents(cache.blobs) as contents:
            contents.add_tree(packed)
            assert whole(sha256("text"), contents) == b"text"
        with pytest.raises(FileSystemError, match=r"cannot be written: .*[Pp]ermission denied") as refused:
            put(b"more", cache.blobs)
        assert "AGENT_SYNC_CACHE" in (refused.value.remedy or "")
        cache.roots.remember(b"version: 1\n", path="/home/me/agent-sync.lock")
        assert cache.roots.all() == ()

    try:
        as_an_ordinary_user(directory, use)
    finally:
        writable(directory)


def test_a_store_that_cannot_be_made_is_refused_with_a_way_out(open_directory: Path) -> None:
    parent = open_directory / "read-only"
    parent.mkdir(mode=0o555)

    def use() -> None:
        with pytest.raises(FileSystemError, match="the cache: cannot be used") as refused:
            put(b"blob", a_cache(parent / "store").blobs)
        assert "AGENT_SYNC_CACHE" in (refused.value.remedy or "")

    try:
        as_an_ordinary_user(parent, use)
    finally:
        parent.chmod(0o755)


# -- somebody else's directory


def test_a_store_that_others_may_write_is_refused(directory: Path) -> None:
    for mode in (0o770, 0o707, 0o777):
        directory.mkdir(exist_ok=True)
        directory.chmod(mode)
        with pytest.raises(UnsafePath, match=f"is writable by others .mode 0{mode:o}") as refused:
            put(b"blob", a_cache(directory).blobs)
        assert str(refused.value.remedy).startswith(f"chmod go-w {directory}; ")
    assert list(directory.iterdir()) == []


def test_the_command_that_helps_can_be_pasted_whatever_the_directory_is_called(tmp_path: Path) -> None:
    directory = tmp_path / "a; touch b"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(UnsafePath) as refused:
        private_directory(str(directory))
    assert refused.value.remedy is not None
    assert shlex.split(refused.value.remedy) == ["chmod", "go-w", str(directory)]


def test_a_store_of_another_user_is_refused(directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of another user")
    directory.mkdir(mode=0o700)
    os.chown(directory, NOBODY, NOBODY)
    with pytest.raises(UnsafePath, match="belongs to user 65534"):
        put(b"blob", a_cache(directory).blobs)


def test_a_store_that_is_a_link_is_refused(tmp_path: Path, directory: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    directory.symlink_to(elsewhere)
    with pytest.raises(UnsafePath, match="symbolic link"):
        put(b"blob", a_cache(directory).blobs)
    assert list(elsewhere.iterdir()) == []


def test_a_link_above_the_store_is_its_users_own_affair(tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "big-disk")
    put(b"blob", a_cache(tmp_path / "cache" / "agent-sync").blobs)
    assert blobs_below(tmp_path / "big-disk" / "agent-sync") == [Digest.of(b"blob").hex]


def test_a_file_in_the_stores_place_is_refused(directory: Path) -> None:
    directory.write_text("not a directory")
    with pytest.raises(FileSystemError, match="the cache: cannot be used"):
        put(b"blob", a_cache(directory).blobs)


@pytest.mark.parametrize("part", ["blobs", "blobs/sha256", "tmp", "lock"])
def test_a_part_of_the_store_that_is_a_link_is_not_followed(part: str, tmp_path: Path, directory: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (directory / part).parent.mkdir(parents=True, mode=0o700)
    (directory / part).symlink_to(elsewhere)
    with pytest.raises(UnsafePath, match="symbolic link"):
        put(b"blob", a_cache(directory).blobs)
    assert list(elsewhere.iterdir()) == []


def test_a_private_directory_that_exists_is_taken_as_it_is(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    assert private_directory(str(directory)).name == str(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


# -- killed


def test_what_a_killed_process_was_writing_is_never_visible_and_is_swept(directory: Path, start: Start) -> None:
    writing = start(
        "with cache.blobs.writer() as writer, cache.directory.scratch() as scratch:\n"
        "    writer.write(b'half'); print('half', flush=True); sys.stdin.read()",
        directory,
    )
    assert said(writing) == "half"
    writing.kill()
    assert ended(writing) == -signal.SIGKILL
    assert len(list((directory / "tmp").iterdir())) == 2
    assert blobs_below(directory) == []
    cache = a_cache(directory)
    assert cache.blobs.digests() == ()
    assert list((directory / "tmp").iterdir()) == []


def test_what_a_living_process_is_writing_is_not_swept(directory: Path, start: Start) -> None:
    writing = start(
        "with cache.blobs.writer() as writer:\n"
        "    writer.write(b'half'); print('half', flush=True); sys.stdin.readline()\n"
        "    writer.write(b' and half'); print(writer.commit(), flush=True)",
        directory,
    )
    assert said(writing) == "half"
    cache = a_cache(directory)
    put(b"another", cache.blobs)
    assert len(list((directory / "tmp").iterdir())) == 1
    go_on(writing)
    assert said(writing) == Digest.of(b"half and half")
    assert ended(writing) == 0
    assert cache.blobs.size(Digest.of(b"half and half")) == 13


# -- many


MANY = """
from agent_sync.store.contents import Contents
from tests.builders.stores import whole
from tests.builders.trees import a_packed_tree, sha256
number = int(sys.argv[2])
print("ready", flush=True); sys.stdin.readline()
for round in range(8):
    shared = a_packed_tree({f"{n}.md": f"shared {round} {n} " * 500 for n in range(20)}, cache.blobs)
    own = put(f"own {number} {round}".encode() * 1000, cache.blobs)
    cache.roots.remember(f"{shared.blob}\\n{own}\\n".encode(), path=f"/{number}/agent-sync.lock")
    with Contents(cache.blobs) as contents:
        contents.add_tree(shared)
        contents.add_blob(own)
        for n in range(20):
            whole(sha256(f"shared {round} {n} " * 500), contents)
        whole(sha256(f"own {number} {round}" * 1000), contents)
"""


def test_sixteen_processes_may_use_one_store_at_once(directory: Path, start: Start) -> None:
    processes = [start(MANY, directory, number) for number in range(16)]
    for process in processes:
        assert said(process) == "ready"
    for process in processes:
        go_on(process)
    assert [ended(process) for process in processes] == [0] * 16
    cache = a_cache(directory)
    # 8 shared trees, and of each process 8 blobs of its own and 8 locks
    assert len(cache.blobs.digests()) == 8 + 16 * 8 * 2
    for digest in cache.blobs.digests():
        assert Digest.of(place(directory, digest).read_bytes()) == digest
    assert len(cache.roots.all()) == 16
    assert list((directory / "tmp").iterdir()) == []
    assert len(gc(cache, now_s=TODAY_S).kept) == 16 * 3 - 15


def test_space_is_reclaimed_when_the_last_user_has_ended(directory: Path, start: Start) -> None:
    put(b"nobody needs this", a_cache(directory).blobs)
    using = start(
        "cache.blobs.size(put(b'x', cache.blobs)); print('using', flush=True); sys.stdin.readline()", directory
    )
    assert said(using) == "using"
    cache = a_cache(directory)
    with pytest.raises(AgentSyncError, match="another process uses it"):
        gc(cache, now_s=TODAY_S, wait_s=0.05)
    using.kill()
    ended(using)
    assert len(gc(cache, now_s=TODAY_S, wait_s=5).removed) == 2


def test_who_comes_while_space_is_reclaimed_waits(directory: Path, start: Start) -> None:
    cache = a_cache(directory)
    digest = put(b"blob", cache.blobs)
    with cache.directory.exclusive(wait_s=0):
        cache.blobs.remove(digest)
        coming = start(
            f"print('coming', flush=True); print(cache.blobs.size(Digest.parse('{digest}')), flush=True)", directory
        )
        assert said(coming) == "coming"
        time.sleep(0.2)  # enough for it to answer, if it did not wait
        put(b"blob", cache.blobs)
    assert said(coming) == "4"
    assert ended(coming) == 0
