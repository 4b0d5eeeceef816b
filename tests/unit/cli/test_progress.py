"""Progress: only on long work, only on a terminal, never in the way."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_sync.cli.run import Answer, Session, Verb
from agent_sync.cli.screen import Progress, Screen, Streams
from agent_sync.events import Progressed, SourceFinished, SourceStarted
from tests.builders.screens import ESC, Terminal, here


def a_screen() -> tuple[Screen, Terminal]:
    terminal = Terminal()
    return Screen(Streams(Terminal(), Terminal(), terminal), {}), terminal


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_work_that_takes_long_is_shown_and_leaves_no_trace_of_its_names_as_markup() -> None:
    screen, terminal = a_screen()
    progress = Progress(screen, delay_s=0.0)
    progress.note(SourceStarted("[red]base\x1b[2J"))
    progress.note(Progressed("write", 3, 10))
    wait_until(lambda: "3/10" in terminal.getvalue())
    progress.finish()
    assert "[red]base\\x1b[2J" in terminal.getvalue()
    shown = terminal.getvalue()
    progress.note(Progressed("write", 4, 10))
    assert terminal.getvalue() == shown


def test_work_that_is_done_soon_is_not() -> None:
    screen, terminal = a_screen()
    progress = Progress(screen, delay_s=60.0)
    progress.note(SourceStarted("base"))
    progress.note(SourceFinished("base"))
    progress.finish()
    assert terminal.getvalue() == ""


def test_what_is_finished_is_shown_no_more() -> None:
    screen, terminal = a_screen()
    progress = Progress(screen, delay_s=0.0)
    progress.note(SourceStarted("first"))
    progress.note(SourceStarted("second"))
    wait_until(lambda: "second" in terminal.getvalue())
    progress.note(SourceFinished("first"))
    terminal.truncate(0)
    wait_until(lambda: "second" in terminal.getvalue())
    progress.finish()
    assert "first" not in terminal.getvalue()


def test_a_message_is_written_while_the_picture_is_away() -> None:
    screen, terminal = a_screen()
    progress = Progress(screen, delay_s=0.0)
    progress.note(SourceStarted("base"))
    wait_until(lambda: "base" in terminal.getvalue())
    screen.say("a message")
    progress.finish()
    before = terminal.getvalue().partition("a message\n")[0]
    assert before.endswith("\x1b[2K")  # the line that it is written on was wiped


@pytest.mark.parametrize(("at_terminal", "options"), [(False, {}), (True, {"json": True}), (True, {"no_color": True})])
def test_elsewhere_nothing_moves(tmp_path: Path, options: dict[str, bool], *, at_terminal: bool) -> None:
    def slow(session: Session) -> Answer:
        session.observer(SourceStarted("base"))
        time.sleep(0.6)
        return Answer({})

    told = here(tmp_path, at_terminal=at_terminal).run_verb(Verb("update", slow), **options)
    assert told.err == ""
    assert ESC not in told.out


def test_the_same_work_at_a_terminal_is_shown(tmp_path: Path) -> None:
    def slow(session: Session) -> Answer:
        session.observer(SourceStarted("base"))
        time.sleep(1.5)
        return Answer({})

    assert "base" in here(tmp_path, at_terminal=True).run_verb(Verb("update", slow)).err


def test_a_terminal_that_goes_away_does_no_harm() -> None:
    closed = io.StringIO()
    closed.close()
    assert not Screen(Streams(closed, closed, closed), {}).live
