"""Help and wrong usage: what a command line can be is said where it is asked for, and quickly."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sync._version import __version__
from agent_sync.cli.program import ABOUT, COMMANDS
from agent_sync.cli.run import VerbGroup
from tests.builders.result_documents import verb_of
from tests.builders.screens import here

GLOBAL = ("--config", "--lockfile", "--verbose", "--quiet", "--no-color", "--no-inherit", "--json", "--offline")
HEAVY = {"pydantic", "pygit2", "httpx", "yaml", "rich", "click", "importlib.metadata", "asyncio"}

HELP_OF_PRUNE = """\
Usage: agent-sync prune [OPTIONS]

  Delete files that are no longer declared.

  Their lock entries are deleted as well. A file that was edited since it was
  written stays and is reported.

Options:
  --dry-run   Show what would be deleted; delete nothing.
  -h, --help  Show this message and exit.

Global options (see agent-sync --help):
  --config --lockfile --no-inherit --offline --json --verbose --quiet
  --no-color

  Examples:
    agent-sync prune --dry-run
    agent-sync prune
"""


def every_command() -> list[str]:
    return [verb.name for verb in COMMANDS.verbs()]


@pytest.mark.parametrize("command", [*every_command()])
def test_r098_the_help_of_every_command_names_every_global_flag(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run(*command.split(), "--help").code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: agent-sync {command} ")
    assert [flag for flag in GLOBAL if flag not in shown.split()] == []


def test_the_main_help_explains_the_global_flags_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here(tmp_path).run("--help")
    explained = capsys.readouterr().out.partition("Global options")[2]
    assert [flag for flag in GLOBAL if f"\n  {flag} " not in explained] == []


@pytest.mark.parametrize("command", [*every_command()])
def test_the_first_line_of_a_help_is_short(command: str) -> None:
    """language rule 3: at most 60 characters, one sentence."""
    doc = inspect.getdoc(verb_of(command).run)
    assert doc is not None
    first, _, _ = doc.partition("\n")
    assert len(first) <= 60
    assert first.endswith(".")


def test_so_is_that_of_a_group_and_of_the_program() -> None:
    groups = [verb.about for verb in COMMANDS.values() if isinstance(verb, VerbGroup)]
    assert len(groups) > 1
    for about in (ABOUT, *groups):
        first, _, _ = about.partition("\n")
        assert len(first) <= 60
        assert first.endswith(".")


def test_help_reads_like_this(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here(tmp_path).run("prune", "-h")
    assert capsys.readouterr().out == HELP_OF_PRUNE


def test_an_argument_is_shown_as_people_write_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here(tmp_path).run("restore", "-h")
    assert "Usage: agent-sync restore [OPTIONS] PATH\n" in (shown := capsys.readouterr().out)
    assert "\n  PATH  The file, relative to the project's directory.\n" in shown
    here(tmp_path).run("status", "-h")
    assert "Usage: agent-sync status [OPTIONS] [NAME]...\n" in capsys.readouterr().out


def test_the_help_of_the_program_names_every_command_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run("--help").code == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []
    assert "..." not in shown.partition("Everyday commands:")[2]


@pytest.mark.parametrize("words", [(), ("cache",), ("--json",)])
def test_without_a_command_the_help_is_on_standard_error(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run(*words).code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ommands:\n" in captured.err


def test_the_version_is_told_among_other_flags_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert here(tmp_path).run("--no-color", "--version").code == 0
    assert capsys.readouterr().out == f"agent-sync {__version__}\n"


@pytest.mark.parametrize(
    ("line", "headline", "remedy"),
    [
        ("snyc", "agent-sync: no such command 'snyc'. Did you mean 'sync'?", "see agent-sync --help"),
        ("cache lst", "agent-sync cache: no such command 'lst'. Did you mean 'list'?", "see agent-sync cache --help"),
        (
            "sync --dry-rn",
            "agent-sync sync: no such option: --dry-rn (Possible options: --dry-run)",
            "see agent-sync sync --help",
        ),
        ("sync extra", "agent-sync sync: got unexpected extra argument(s) (extra)", "see agent-sync sync --help"),
        ("restore", "agent-sync restore: missing argument 'PATH'", "see agent-sync restore --help"),
        ("check --config", "agent-sync check: option '--config' requires an argument", "see agent-sync check --help"),
        ("--no-such check", "agent-sync: no such option: --no-such", "see agent-sync --help"),
    ],
)
def test_wrong_usage_is_an_error_like_every_other(line: str, headline: str, remedy: str, tmp_path: Path) -> None:
    told = here(tmp_path).run(*line.split())
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"error[usage]: {headline}\n")
    assert told.err.endswith(f"help: {remedy}\n")


@pytest.mark.parametrize("line", ["--json snyc", "snyc --json", "sync --json --dry-rn", "cache --json lst"])
def test_or_a_document(line: str, tmp_path: Path) -> None:
    told = here(tmp_path).run(*line.split())
    assert (told.code, told.err) == (2, "")
    assert told.document["error"]["rule"] == "usage"


def test_behind_two_dashes_json_is_a_word_like_any_other(tmp_path: Path) -> None:
    assert (
        here(tmp_path)
        .run("restore", "--", "a", "--json")
        .err.startswith("error[usage]: agent-sync restore: got unexpected")
    )


def test_a_word_that_would_act_on_the_terminal_is_shown_escaped(tmp_path: Path) -> None:
    told = here(tmp_path).run("sync", "--x\x1b[2J")
    assert "\x1b" not in told.err
    assert told.code == 2


def test_no_help_loads_anything_heavy(tmp_path: Path) -> None:
    """performance: `--help` of any command within 150 ms; pydantic alone takes half of that."""
    program = (
        "import os, sys\n"
        "from agent_sync.cli.program import run\n"
        "from agent_sync.cli.screen import standard_streams\n"
        "from agent_sync.cli.run import Invocation\n"
        "from agent_sync.ports.machine import Cancellation\n"
        "surroundings = Invocation(standard_streams(), os.environ, Cancellation())\n"
        f"for line in {[*every_command()]!r}:\n"
        "    assert run([*line.split(), '--help'], surroundings) == 0\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    loaded = set(ran.stderr.split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()
