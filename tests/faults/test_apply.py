"""Real processes killed, or refused by the system, at real calls while they apply a plan: all of it, or nothing.

Each test takes a sample, evenly spread over all calls of a run. MOMENTS in the environment says how many; 0 means all.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.adapters.directory import DiskDirectory
from tests.builders.checkouts import AFTER, BEFORE, EDIT, EDITED, ACheckout, as_shown
from tests.builders.trees import a_tree
from tests.faults.injected import Injected, Moment
from tests.faults.injected_driver import DONE, FAULT, INCOMPLETE

OLD = as_shown(BEFORE) | {EDITED: EDIT}
NEW = as_shown(AFTER)
ERRORS = ("ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS")
Make = Callable[[], Path]


@pytest.fixture(scope="module")
def injected(tmp_path_factory: pytest.TempPathFactory) -> Injected:
    return Injected(tmp_path_factory.mktemp("injected"))


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a project in which BEFORE was written and one file edited since."""

    def project() -> Path:
        directory = tmp_path_factory.mktemp("project")
        the_checkout(directory).sync(BEFORE)
        (directory / EDITED).write_text(EDIT)
        return directory

    return project


@pytest.fixture(scope="module")
def moments(injected: Injected, make: Make) -> list[Moment]:
    """Every call of a whole run."""
    return injected.moments("sync", make())


def the_checkout(directory: Path) -> ACheckout:
    return ACheckout(DiskDirectory(str(directory)), written=a_tree(BEFORE))


def sampled(moments: list[Moment], default: int, *, offset: float = 0.0) -> list[Moment]:
    """So many of them, evenly spread; two samples with offsets (0 to 1) that differ have few moments in common."""
    wanted = int(os.environ.get("MOMENTS", default)) or len(moments)
    step = max(len(moments) / wanted, 1.0)
    return [moments[int((index + offset) * step)] for index in range(min(wanted, len(moments)))]


def changing(moments: list[Moment]) -> list[Moment]:
    """The calls that may change something (openat: it may create)."""
    return [moment for moment in moments if moment.syscall not in ("read", "newfstatat", "close")]


def assert_all_or_nothing(directory: Path) -> bool:
    """Whether it is all; the edit is there either way."""
    checkout = the_checkout(directory)
    done = checkout.targets() == NEW
    assert done or checkout.targets() == OLD
    assert checkout.kept == ({EDITED: EDIT} if done else {})
    return done


def test_killed_at_any_call_the_next_run_leaves_exactly_what_is_wanted(
    injected: Injected, make: Make, moments: list[Moment]
) -> None:
    assert len(changing(moments)) > 200
    at = {make(): moment for moment in sampled(changing(moments), 40)}
    assert set(injected.kill("sync", at)) == {-signal.SIGKILL}
    undone = 0
    for directory in at:
        the_checkout(directory).recover()
        undone += not assert_all_or_nothing(directory)
        the_checkout(directory).sync(AFTER)
        assert assert_all_or_nothing(directory)
    assert undone


def test_killed_again_while_it_recovers_it_recovers_all_the_same(
    injected: Injected, make: Make, moments: list[Moment]
) -> None:
    # The last renames of a run are the commit and the kept edit: the one before them finds every target changed.
    last = max(moment.number for moment in moments if moment.syscall == "renameat") - 2
    directories = [make() for _ in range(13)]
    injected.kill("sync", dict.fromkeys(directories, Moment("renameat", last)))
    recovering = changing(injected.moments("recover", directories.pop()))
    assert len(recovering) > 50
    at = dict(zip(directories, sampled(recovering, 12), strict=False))
    assert set(injected.kill("recover", at)) == {-signal.SIGKILL}
    for directory in at:
        the_checkout(directory).recover()
        assert not assert_all_or_nothing(directory)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_from_any_call_leaves_all_or_nothing(
    injected: Injected, make: Make, moments: list[Moment], error: str
) -> None:
    at = {make(): moment for moment in sampled(moments, 12, offset=ERRORS.index(error) / len(ERRORS))}
    outcomes = dict(zip(at, injected.fail("sync", at, error), strict=True))
    assert set(outcomes.values()) <= {DONE, FAULT, INCOMPLETE}
    assert FAULT in outcomes.values()
    for directory, outcome in outcomes.items():
        if outcome == FAULT:
            assert the_checkout(directory).recover() is None
            assert not assert_all_or_nothing(directory)
        the_checkout(directory).recover()
        the_checkout(directory).sync(AFTER)
        remove_if_empty(directory / ".cursor/rules/gone")
        assert assert_all_or_nothing(directory)


def test_where_there_are_no_hard_links_copies_do_as_well(injected: Injected, make: Make, moments: list[Moment]) -> None:
    at = {make(): moment for moment in moments if moment.syscall == "linkat"}
    assert len(at) > 3
    assert set(injected.fail("sync", at, "EPERM")) == {DONE}
    for directory in at:
        assert assert_all_or_nothing(directory)


def remove_if_empty(directory: Path) -> None:
    """An emptied directory that the system did not let us remove does no harm."""
    if directory.is_dir():
        directory.rmdir()
