"""Streams: colours only where they are welcome, and no fault where nobody listens."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from agent_sync.cli.options import GlobalOptions
from agent_sync.cli.report import Style, Styled
from agent_sync.cli.run import Answer, Invocation, Verb, run_verb
from agent_sync.cli.screen import Screen, Streams
from agent_sync.errors import LockMissing
from agent_sync.ports import Cancellation
from tests.builders.screens import ESC, Terminal, here

RED = (Styled("red", Style.ERROR),)
COLORFUL = Verb("status", lambda _: Answer({}, lines=(RED,)))


class Failing(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str, /) -> int:
        raise self._error


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    assert here(tmp_path, at_terminal=True).run_verb(COLORFUL).out == "\x1b[1;31mred\x1b[0m\n"


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_unless_the_environment_objects(variables: dict[str, str], tmp_path: Path) -> None:
    assert here(tmp_path, at_terminal=True, **variables).run_verb(COLORFUL).out == "red\n"


def test_an_empty_no_color_does_not_count(tmp_path: Path) -> None:
    assert ESC in here(tmp_path, at_terminal=True, NO_COLOR="").run_verb(COLORFUL).out


def test_or_the_command_line_does(tmp_path: Path) -> None:
    assert here(tmp_path, at_terminal=True).run_verb(COLORFUL, no_color=True).out == "red\n"


def test_a_file_gets_none(tmp_path: Path) -> None:
    assert here(tmp_path).run_verb(COLORFUL).out == "red\n"


def test_each_stream_decides_for_itself() -> None:
    out, err = io.StringIO(), Terminal()
    screen = Screen(Streams(io.StringIO(), out, err), {})
    screen.show([RED])
    screen.say(RED)
    assert (ESC in out.getvalue(), ESC in err.getvalue()) == (False, True)


@pytest.mark.parametrize(
    ("stdin", "stderr", "quiet", "can_ask"),
    [
        (Terminal, Terminal, False, True),
        (io.StringIO, Terminal, False, False),
        (Terminal, io.StringIO, False, False),
        (Terminal, Terminal, True, False),
    ],
)
def test_a_question_needs_somebody_who_sees_it(
    stdin: type[io.StringIO], stderr: type[io.StringIO], *, quiet: bool, can_ask: bool
) -> None:
    assert Screen(Streams(stdin(), io.StringIO(), stderr()), {}, quiet=quiet).can_ask is can_ask


def test_a_closed_stream_is_no_terminal() -> None:
    closed = Terminal()
    closed.close()
    assert not Screen(Streams(closed, closed, closed), {}).can_ask


def run_with(stdout: io.StringIO, verb: Verb, *, json: bool) -> tuple[int, str]:
    err = io.StringIO()
    surroundings = Invocation(Streams(io.StringIO(), stdout, err), {}, Cancellation())
    return run_verb(verb, GlobalOptions(json=json), {}, surroundings), err.getvalue()


@pytest.mark.parametrize("json", [False, True])
def test_a_reader_that_has_gone_is_no_failure(*, json: bool) -> None:
    assert run_with(Failing(BrokenPipeError()), COLORFUL, json=json) == (0, "")


@pytest.mark.parametrize("json", [False, True])
def test_a_full_disk_below_standard_output_is_one(*, json: bool) -> None:
    code, err = run_with(Failing(OSError(errno.ENOSPC, "No space left on device")), COLORFUL, json=json)
    assert code == 17
    assert "No space left on device" in err
    assert "standard output" in err


def test_an_error_that_no_document_can_tell_is_told_as_text() -> None:
    def fail(_: object) -> Answer:
        raise LockMissing(subject="agent-sync.lock", check="there is no lock")

    code, err = run_with(Failing(OSError(errno.EIO, "Input/output error")), Verb("sync", fail), json=True)
    assert code == 4
    assert "Input/output error" in err
    assert "there is no lock" in err


def test_without_standard_error_the_exit_code_still_tells() -> None:
    streams = Streams(io.StringIO(), io.StringIO(), Failing(OSError(errno.EIO, "Input/output error")))
    screen = Screen(streams, {})
    screen.say("nobody hears this", error=True)
