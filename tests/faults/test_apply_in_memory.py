"""A run cut short before every single call to its directories, by a kill, an error or Ctrl-C: all of it, or nothing.

tests/faults/test_apply.py does the same to a real process at real system calls, where only a sample is affordable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from agent_sync.errors import FileSystemError, RollbackIncomplete
from agent_sync.events import RolledBack, Warned
from tests.builders.checkouts import AFTER, BEFORE, EDIT, EDITED, ACheckout, as_shown
from tests.fakes.directory import MemoryDirectory
from tests.fakes.faults import Faults, Killed, an_error

OLD = as_shown(BEFORE) | {EDITED: EDIT}
NEW = as_shown(AFTER)


def an_edited_checkout(mounted: str | None = None) -> tuple[ACheckout, MemoryDirectory]:
    """BEFORE is written, and one file of it was edited since; `mounted` lies on another disk."""
    directory = MemoryDirectory()
    if mounted is not None:
        directory.mount(mounted)
    checkout = ACheckout(directory)
    checkout.sync(BEFORE)
    directory.put(EDITED, EDIT)
    return checkout, directory


def runs(
    error: Callable[[], BaseException], *, for_ever: bool = False, every: int = 1, mounted: str | None = None
) -> Iterator[tuple[ACheckout, MemoryDirectory, BaseException | None]]:
    """One run for each call that a run makes, with a fault at that call, and what came out of it."""
    for number in count(0, every):
        checkout, directory = an_edited_checkout(mounted)
        plan = checkout.plan(AFTER)
        faults = Faults(number, error=error, for_ever=for_ever)
        failure = faults.during(lambda: checkout.apply(plan), directory)  # noqa: B023  # it is called at once
        if not faults.happened:
            assert number > 100
            assert assert_all_or_nothing(checkout, mounted)
            return
        yield checkout, directory, failure


def assert_all_or_nothing(checkout: ACheckout, may_stay: str | None = None) -> bool:
    """Whether it is all; the edit is there either way. `may_stay` is an empty directory that could not be removed."""
    targets = {path: text for path, text in checkout.targets().items() if path != f"{may_stay}/"}
    done = targets == NEW
    assert done or targets == OLD
    assert checkout.kept == ({EDITED: EDIT} if done else {})
    return done


def test_killed_at_any_call_and_recovered_it_is_as_before_or_done_and_the_next_run_does_it() -> None:
    done = set()
    for checkout, _, failure in runs(Killed, for_ever=True):
        assert isinstance(failure, Killed)
        checkout.recover()
        done.add(assert_all_or_nothing(checkout))
        checkout.sync(AFTER)
        assert assert_all_or_nothing(checkout)
    assert done == {True, False}


def test_killed_while_it_recovers_it_recovers_all_the_same() -> None:
    cut_short = 0
    for checkout, directory, _ in runs(Killed, for_ever=True, every=3):
        for number in range(0, 200, 5):
            recovering = Faults(number, error=Killed, for_ever=True)
            cut_short += recovering.during(checkout.recover, directory) is not None
        checkout.recover()
        assert checkout.recover() is None
        assert_all_or_nothing(checkout)
    assert cut_short > 100


def test_an_error_at_any_call_leaves_all_or_nothing() -> None:
    unfinished = 0
    for checkout, _, failure in runs(an_error):
        if isinstance(failure, FileSystemError):
            assert checkout.recover() is None
            assert not assert_all_or_nothing(checkout)
        unfinished += any(isinstance(event, Warned) for event in checkout.events)
        checkout.recover()
        assert assert_all_or_nothing(checkout, ".cursor/rules/gone") == (failure is None)
    assert unfinished > 5


def test_an_error_that_stays_can_be_recovered_from_when_it_is_gone() -> None:
    failures = set()
    for checkout, _, failure in runs(an_error, for_ever=True):
        if isinstance(failure, RollbackIncomplete):
            assert "agent-sync recover" in str(failure.remedy)
        failures.add(type(failure))
        checkout.recover()
        assert_all_or_nothing(checkout)
    assert {FileSystemError, RollbackIncomplete} <= failures


def test_ctrl_c_at_any_call_leaves_all_or_nothing_and_is_passed_on() -> None:
    for checkout, _, failure in runs(KeyboardInterrupt):
        assert isinstance(failure, KeyboardInterrupt)
        assert checkout.recover() is None
        assert_all_or_nothing(checkout)


@pytest.mark.parametrize("later", [1, 4, 16])
def test_ctrl_c_pressed_twice_does_not_stop_the_undoing(later: int) -> None:
    undone = 0
    for first in range(60, 240, 4):
        checkout, directory = an_edited_checkout()
        plan = checkout.plan(AFTER)
        faults = Faults(first, first + later, error=KeyboardInterrupt)
        failure = faults.during(lambda: checkout.apply(plan), directory)  # noqa: B023  # it is called at once
        assert isinstance(failure, KeyboardInterrupt) or not faults.happened
        assert checkout.recover() is None
        assert_all_or_nothing(checkout)
        undone += faults.happened == 2 and bool(checkout.heard(RolledBack))
    assert undone >= 5


@pytest.mark.parametrize("mounted", [".claude/rules", ".claude", ".windsurf", ".cursor/rules/gone"])
@pytest.mark.parametrize("error", [Killed, an_error])
def test_where_targets_lie_on_another_disk_the_same_holds(mounted: str, error: Callable[[], BaseException]) -> None:
    for checkout, _, _ in runs(error, for_ever=error is Killed, every=4, mounted=mounted):
        checkout.recover()
        assert_all_or_nothing(checkout, mounted)
        checkout.sync(AFTER)
        assert assert_all_or_nothing(checkout, mounted)
