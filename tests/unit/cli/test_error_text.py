"""How an error reads: the block of docs/reference/errors.md, whatever is in it."""

from __future__ import annotations

import pytest

from agent_sync.cli.options import GlobalOptions, with_options
from agent_sync.cli.report import error_lines, failure_lines, render, warning_lines
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


def warned(warning: Warned) -> str:
    return "\n".join(render(line, color=False) for line in warning_lines(warning))


def at(line: str, *, column: int, width: int = 1, number: int = 3, subject: str = "f.yaml") -> AgentSyncError:
    place = Place("f.yaml", number, column, line, width)
    return ConfigInvalid(subject=subject, check="wrong value", remedy="mend it", place=place)


def test_an_error_with_a_place_shows_the_line_and_carets_below_what_is_wrong() -> None:
    error = UnknownTool(
        subject="agent-sync.yaml, targets[0].tools[0]",
        check='unknown tool "cursr"',
        remedy='did you mean "cursor"? Define your own under tool_definitions.',
        place=Place("agent-sync.yaml", 14, 13, "    tools: [cursr, claude-code]", 5),
    )
    assert text(error) == (
        'error[unknown-tool]: targets[0].tools[0]: unknown tool "cursr"\n'
        "  --> agent-sync.yaml:14:13\n"
        "   |\n"
        "14 |     tools: [cursr, claude-code]\n"
        "   |             ^^^^^\n"
        'help: did you mean "cursor"? Define your own under tool_definitions.'
    )


def test_the_headline_of_an_error_without_a_place_names_its_subject() -> None:
    error = LockMissing(subject="agent-sync.lock", check="no such file", remedy="create it: agent-sync update")
    assert text(error) == ("error[lock-missing]: agent-sync.lock: no such file\nhelp: create it: agent-sync update")


def test_without_a_remedy_there_is_no_help() -> None:
    assert "help" not in text(LockMissing(subject="agent-sync.lock", check="no such file"))


def test_a_subject_that_the_place_does_not_name_is_said_too() -> None:
    assert text(at("x: y", column=1, subject="source base")).startswith(
        "error[config-invalid]: source base: wrong value\n --> f.yaml:3:1\n"
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
    error = NetworkError(subject="https://x/\x9b2J", check="said \x1b[2J\x07\nerror[lock]: fake", remedy="a\nb")
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
        "a": NetworkError(subject="source a, https://x/", check="not found", remedy="look"),
        "b": LockMissing(subject="elsewhere", check="no such file"),
    }
    assert text(PartialFailure(failures, succeeded=1)) == (
        "error[network]: source a, https://x/: not found\nhelp: look\n"
        "error[lock-missing]: source b, elsewhere: no such file\n"
        "2 of 3 sources failed: a, b"
    )


def test_one_failure_alone_needs_no_summary() -> None:
    failure = NetworkError(subject="source a", check="not found")
    assert text(PartialFailure({"a": failure}, succeeded=1)) == "error[network]: source a: not found"


def test_the_failure_of_a_source_names_it() -> None:
    lines = [render(line, color=False) for line in failure_lines("a", NetworkError(subject="https://x/", check="gone"))]
    assert lines == ["error[network]: source a, https://x/: gone"]


def test_a_warning_is_one_line() -> None:
    assert warned(Warned("stale", "source base\n", "its directory has changed")) == (
        "warning[stale]: source base\\x0a: its directory has changed"
    )


def test_a_warning_with_a_place_shows_the_line_as_an_error_does() -> None:
    place = Place("agent-sync.yaml", 2, 1, "tols: []", 4)
    assert warned(Warned("unknown-key", "agent-sync.yaml", 'unknown key "tols" is ignored', place)) == (
        'warning[unknown-key]: agent-sync.yaml: unknown key "tols" is ignored\n'
        " --> agent-sync.yaml:2:1\n"
        "  |\n"
        "2 | tols: []\n"
        "  | ^^^^"
    )


@pytest.mark.parametrize(
    ("remedy", "completed"),
    [
        ("create it: agent-sync update", "create it: agent-sync --config 'my team.yaml' --no-inherit update"),
        (
            "agent-sync sync --offline, or agent-sync bundle verify x",
            (
                "agent-sync --config 'my team.yaml' --no-inherit sync --policy p.yaml --offline, or"
                " agent-sync --config 'my team.yaml' --no-inherit bundle verify --policy p.yaml x"
            ),
        ),
        ("push it again with agent-sync", "push it again with agent-sync"),
    ],
)
def test_a_next_step_keeps_the_options_that_were_given(remedy: str, completed: str) -> None:
    options = GlobalOptions(config="my team.yaml", no_inherit=True, json=True)
    assert with_options(remedy, options, "p.yaml") == completed
    assert with_options(remedy, GlobalOptions()) == remedy
