"""How an error reads: the block of docs/reference/errors.md, whatever is in it."""

from __future__ import annotations

import pytest

from agent_sync.cli.error_text import error_lines, failure_lines, warning_lines
from agent_sync.cli.text import render
from agent_sync.errors import (
    AgentSyncError,
    ConfigInvalid,
    LockMissing,
    NetworkError,
    PartialFailure,
    Place,
    UnknownTool,
)
from agent_sync.events import Warned
from tests.builders.screens import ESC


def text(error: AgentSyncError, *, color: bool = False) -> str:
    return "\n".join(render(line, color=color) for line in error_lines(error))


def at(line: str, *, column: int, width: int = 1, number: int = 3, subject: str = "f.yaml") -> AgentSyncError:
    place = Place("f.yaml", number, column, line, width)
    return ConfigInvalid(subject=subject, check="it is wrong", remedy="mend it", place=place)


def test_an_error_with_a_place_shows_the_line_and_carets_below_what_is_wrong() -> None:
    error = UnknownTool(
        subject="agent-sync.yaml, targets[0].tools[0]",
        check='no tool is called "cursr"',
        remedy='did you mean "cursor"? Define your own under tool_definitions.',
        place=Place("agent-sync.yaml", 14, 13, "    tools: [cursr, claude-code]", 5),
    )
    assert text(error) == (
        'error[unknown-tool]: no tool is called "cursr"\n'
        "  --> agent-sync.yaml:14:13\n"
        "   |\n"
        "14 |     tools: [cursr, claude-code]\n"
        "   |             ^^^^^\n"
        'help: did you mean "cursor"? Define your own under tool_definitions.'
    )


def test_an_error_without_a_place_names_its_subject() -> None:
    error = LockMissing(subject="agent-sync.lock", check="there is no lock", remedy="make one: agent-sync update")
    assert text(error) == (
        "error[lock-missing]: there is no lock\n  --> agent-sync.lock\nhelp: make one: agent-sync update"
    )


def test_without_a_remedy_there_is_no_help() -> None:
    assert "help" not in text(LockMissing(subject="agent-sync.lock", check="there is no lock"))


def test_a_subject_that_the_place_does_not_name_is_said_too() -> None:
    assert "  --> f.yaml:3:1 (source base)" in text(at("x: y", column=1, subject="source base")).replace(
        " --> ", "  --> "
    )


@pytest.mark.parametrize(
    ("line", "column", "width", "carets"),
    [
        ("x: 規則 bad", 7, 3, "        ^^^"),  # two columns for each of the two
        ("x: 規則", 4, 2, "   ^^^^"),
        ("\tx: y", 2, 1, " ^"),  # a tab takes one column in what is shown
        ("x: \x1b[31m", 4, 1, "   ^^^^"),  # escaped, it takes four
        ("x:", 3, 1, "  ^"),  # what is wrong is that nothing follows
    ],
)
def test_the_carets_stand_below_what_is_wrong(line: str, column: int, width: int, carets: str) -> None:
    assert text(at(line, column=column, width=width)).split("\n")[4] == f"  | {carets}"


def test_a_line_that_cannot_be_shown_is_left_out() -> None:
    assert text(at("", column=700)).split("\n")[1:] == [" --> f.yaml:3:700", "help: mend it"]


def test_what_a_server_says_cannot_act_on_the_terminal_nor_look_like_a_message_of_ours() -> None:
    error = NetworkError(subject="https://x/\x9b2J", check="it said \x1b[2J\x07\nerror[lock]: fake", remedy="a\nb")
    shown = text(error, color=True)
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown
    assert "\nerror[lock]" not in shown
    assert "\\x1b[2J\\x07\n  error[lock]: fake" in shown


def test_without_colour_there_is_no_escape_character() -> None:
    assert ESC in text(at("x: y", column=1), color=True)
    assert ESC not in text(at("x: y", column=1), color=False)


def test_many_failures_are_told_one_by_one_and_named_in_the_end() -> None:
    failures: dict[str, AgentSyncError] = {
        "a": NetworkError(subject="source a, https://x/", check="it is gone", remedy="look"),
        "b": LockMissing(subject="elsewhere", check="it is not there"),
    }
    assert text(PartialFailure(failures, succeeded=1)) == (
        "error[network]: it is gone\n  --> source a, https://x/\nhelp: look\n"
        "error[lock-missing]: it is not there\n  --> source b, elsewhere\n"
        "2 of 3 sources failed: a, b"
    )


def test_one_failure_alone_needs_no_summary() -> None:
    failure = NetworkError(subject="source a", check="it is gone")
    assert text(PartialFailure({"a": failure}, succeeded=1)) == "error[network]: it is gone\n  --> source a"


def test_the_failure_of_a_source_names_it() -> None:
    lines = [render(line, color=False) for line in failure_lines("a", NetworkError(subject="https://x/", check="gone"))]
    assert lines == ["error[network]: gone", "  --> source a, https://x/"]


def test_a_warning_is_one_line() -> None:
    (line,) = warning_lines(Warned("unknown-key", "agent-sync.yaml:2:1\n", "the key is not known"))
    assert render(line, color=False) == "warning[unknown-key]: agent-sync.yaml:2:1\\x0a: the key is not known"


def test_the_place_of_a_warning_is_a_second_line() -> None:
    warning = Warned("unknown-key", "agent-sync.yaml", "the key is not known", Place("agent-sync.yaml", 2, 1))
    assert [render(line, color=False) for line in warning_lines(warning)] == [
        "warning[unknown-key]: agent-sync.yaml: the key is not known",
        "  --> agent-sync.yaml:2:1",
    ]
