"""The project as an attacker left it, and as one changes it while we work: nothing outside is written or removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_sync.adapters.directory import DiskDirectory
from agent_sync.errors import AgentSyncError, Cancelled, FileSystemError, RollbackIncomplete, UnsafePath
from agent_sync.ports import Cancellation
from tests.builders.checkouts import ACheckout
from tests.builders.directories import files_of

RACE_S = 1.5
TARGETS = {f"a/b/{number}.md": f"ours {number}" for number in range(4)}
OUTSIDE = {f"{prefix}{number}.md": "theirs" for number in range(8) for prefix in ("", "b/")}

Attack = Callable[[Path, Path], object]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory beside the project with the names of targets in it; whatever the test does, it stays as it is."""
    made = tmp_path / "outside"
    (made / "b").mkdir(parents=True)
    for name, content in OUTSIDE.items():
        (made / name).write_text(content)
    before = snapshot(made)
    yield made
    assert snapshot(made) == before


def snapshot(directory: Path) -> dict[str, object]:
    """Every path with what would change if anybody wrote there."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (content, stat.st_mode, stat.st_ino, stat.st_mtime_ns, stat.st_nlink)
    return found


def the_checkout(project: Path) -> ACheckout:
    return ACheckout(DiskDirectory(str(project)))


# -- left behind -----------------------------------------------------------------------------------------------------


def link(at: str, to: str | None = None) -> Attack:
    def make(project: Path, outside: Path) -> None:
        (project / at).parent.mkdir(parents=True, exist_ok=True)
        (project / at).symlink_to(to or outside)

    return make


def fifo(at: str) -> Attack:
    def make(project: Path, outside: Path) -> None:  # noqa: ARG001  # every attack is told of it
        (project / at).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(project / at)

    return make


LEFT: dict[str, tuple[type[AgentSyncError], Attack]] = {
    "the target is a link to a file outside": (UnsafePath, link("a/b/0.md", "../../../outside/0.md")),
    "the target is a link to a file inside": (UnsafePath, link("a/b/0.md", "1.md")),
    "the target is a dangling link": (UnsafePath, link("a/b/0.md", "nowhere")),
    "the target is a link to itself": (UnsafePath, link("a/b/0.md", "0.md")),
    "the target's directory is a link outside": (UnsafePath, link("a/b")),
    "the target's directory is a link inside": (UnsafePath, link("a/b", "../real")),
    "the directory above is a link outside": (UnsafePath, link("a")),
    "the directory above is a loop": (UnsafePath, link("a", "a")),
    "the target is a fifo": (FileSystemError, fifo("a/b/0.md")),
    "the target's directory is a fifo": (FileSystemError, fifo("a/b")),
    "the state directory is a link": (UnsafePath, link(".agent-sync")),
    "the state directory is a fifo": (FileSystemError, fifo(".agent-sync")),
    "the applied lock is a link": (UnsafePath, link(".agent-sync/applied.lock", "../../outside/0.md")),
    "the journal is a link": (UnsafePath, link(".agent-sync/txn/journal", "../../../outside/0.md")),
    "the journal is a fifo": (FileSystemError, fifo(".agent-sync/txn/journal")),
}


@pytest.mark.parametrize("attack", LEFT)
def test_what_was_left_in_the_way_is_refused_and_nothing_is_written(project: Path, outside: Path, attack: str) -> None:
    family, make = LEFT[attack]
    make(project, outside)
    before = snapshot(project)
    with pytest.raises(family) as caught:
        sync(the_checkout(project))
    assert caught.value.remedy
    left = {path: found for path, found in snapshot(project).items() if "/.agent-sync" not in path}
    assert left == {path: found for path, found in before.items() if "/.agent-sync" not in path}


def sync(checkout: ACheckout) -> None:
    """As a command does it: the lock that was written last is read, too."""
    checkout.recover()
    checkout.checkout.applied.read()
    checkout.sync(TARGETS)


@pytest.mark.parametrize("at", [".agent-sync/txn", ".agent-sync/txn/stage", ".agent-sync/txn/undo/b"])
def test_links_in_the_transaction_are_removed_and_not_followed(project: Path, outside: Path, at: str) -> None:
    link(at)(project, outside)
    try:
        the_checkout(project).sync(TARGETS)
    except UnsafePath:
        assert at == ".agent-sync/txn"
    else:
        assert the_checkout(project).targets() == TARGETS


def test_a_link_where_edits_are_kept_is_not_followed(project: Path, outside: Path) -> None:
    checkout = the_checkout(project)
    checkout.sync(TARGETS)
    (project / "a/b/0.md").write_text("edited")
    link(".agent-sync/kept")(project, outside)
    checkout.sync(TARGETS)  # the edit stays in the transaction
    with pytest.raises(AgentSyncError):
        checkout.recover()
    (project / ".agent-sync/kept").unlink()
    checkout.recover()
    assert (checkout.targets(), checkout.kept) == (TARGETS, {"a/b/0.md": "edited"})


def test_a_lock_file_that_is_a_link_is_not_opened(project: Path, outside: Path) -> None:
    link(".agent-sync/lock", "../../outside/new")(project, outside)
    with pytest.raises(UnsafePath), the_checkout(project).checkout.hold():
        pass


def test_a_hard_link_to_a_file_outside_is_replaced_and_not_written_through(project: Path, outside: Path) -> None:
    (project / "a/b").mkdir(parents=True)
    (project / "a/b/0.md").hardlink_to(outside / "0.md")
    checkout = the_checkout(project)
    checkout.sync(TARGETS)
    assert (checkout.targets(), checkout.kept) == (TARGETS, {"a/b/0.md": "theirs"})
    (project / checkout.checkout.kept.all()[0].place).unlink()


def test_a_state_directory_nested_beyond_all_measure_is_cleared_away(project: Path, outside: Path) -> None:
    assert outside.is_dir()
    here = DiskDirectory(str(project))
    deep = os.open(project, os.O_RDONLY)
    for name in [".agent-sync", "txn", *["d"] * 1200]:
        os.mkdir(name, dir_fd=deep)
        below = os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    ACheckout(here).sync({"a.md": "x"})
    assert files_of(here)["a.md"] == "x"
    assert not (project / ".agent-sync/txn").exists()


# -- swapped while we work -------------------------------------------------------------------------------------------

SWAPPER = """
import os, sys, time
real, outside = sys.argv[1:]
parked, aside = real + ".parked", 0
print("ready", flush=True)
while True:
    try:
        os.rename(real, parked)
        os.symlink(outside, real)
        for _ in range(10):
            os.path.islink(real)
        os.unlink(real)
        os.rename(parked, real)
        time.sleep(0.002)
    except FileNotFoundError:
        os.makedirs(parked, exist_ok=True)
    except OSError:
        if os.path.islink(real):
            os.unlink(real)
        elif os.path.exists(real) and os.path.exists(parked):  # the victim made a directory of its own meanwhile
            aside += 1
            os.rename(parked, parked + str(aside))
"""


@contextmanager
def swapping(real: Path, outside: Path) -> Iterator[None]:
    """All the while this directory is swapped for a link to the one outside, and back."""
    real.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-S", "-c", SWAPPER, str(real), str(outside)], stdout=subprocess.PIPE
    ) as swapper:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        try:
            yield
        finally:
            swapper.kill()


def attempts(work: Callable[[], object]) -> tuple[int, int]:
    """How often it succeeded, and how often it was refused, in the time of a race."""
    done = refused = 0
    end = time.monotonic() + RACE_S
    while time.monotonic() < end or not (done and refused):
        assert time.monotonic() < end + 60, "the race never went both ways"
        try:
            work()
            done += 1
        except (UnsafePath, FileSystemError, RollbackIncomplete):
            refused += 1
    return done, refused


@pytest.mark.parametrize("swapped", ["a", "a/b"])
def test_a_directory_swapped_for_a_link_while_we_write_leads_nowhere(
    project: Path, outside: Path, swapped: str
) -> None:
    checkout = the_checkout(project)
    versions = iter(range(1_000_000))

    def write() -> None:
        version = next(versions)
        checkout.sync({path: f"{content}, version {version}" for path, content in TARGETS.items()})

    with swapping(project / swapped, outside):
        attempts(write)


@pytest.mark.parametrize("swapped", ["a", "a/b"])
def test_a_directory_swapped_for_a_link_while_we_remove_leads_nowhere(
    project: Path, outside: Path, swapped: str
) -> None:
    checkout = the_checkout(project)

    def write_and_remove() -> None:
        checkout.sync({**TARGETS, "a/b/stays.md": "x"})
        checkout.sync({"a/b/stays.md": "x"})

    with swapping(project / swapped, outside):
        attempts(write_and_remove)


class CancelledAfter(Cancellation):
    """Asks to stop when it has been asked this often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.cancel()
        super().check()


def test_a_directory_swapped_for_a_link_while_we_roll_back_leads_nowhere(project: Path, outside: Path) -> None:
    checkout = the_checkout(project)
    checkout.sync(TARGETS)
    rolled_back = 0

    def change_and_stop() -> None:
        nonlocal rolled_back
        checkout.recover()
        plan = checkout.plan({path: f"{content}, changed" for path, content in TARGETS.items()})
        checkout.cancellation = CancelledAfter(2 * len(plan.actions) - 1)  # all are staged, and all but one changed
        try:
            checkout.apply(plan)
        except Cancelled:
            rolled_back += 1

    with swapping(project / "a/b", outside):
        attempts(change_and_stop)
    assert rolled_back
