"""Help and wrong usage: what a command line can be is said where it is asked for, and quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync._version import __version__
from agent_sync.cli.parser import CommandGroup, CommandTable
from agent_sync.cli.program import COMMANDS
from tests.builders.screens import here

GLOBAL = ("--config", "--lockfile", "--verbose", "--quiet", "--no-color", "--no-inherit", "--json", "--offline")
HEAVY = {"pydantic", "pygit2", "httpx", "yaml", "rich", "click", "importlib.metadata", "asyncio"}

HELP_OF_PRUNE = """\
Usage: agent-sync prune [OPTIONS]

  Remove what was written and is declared no more.

  Its entries in the lock go, too. Only files that still are what was written
  are removed; one that was edited since stays, and is reported.

Options:
  --dry-run        Show what would be removed; remove nothing.
  --config PATH    The configuration; its directory is the project.  [default:
                   agent-sync.yaml]
  --lockfile PATH  The lock.  [default: agent-sync.lock beside the
                   configuration]
  --no-inherit     Read the project's configuration only, not the user's and
                   the system's; recommended in CI.
  --offline        Open no connection: what is not in the store is an error.
  --json           Write one JSON document instead of text.
  --verbose        Say more: each file, each source, what commands print.
  --quiet          Write errors only.
  --no-color       No colours, nothing that moves; NO_COLOR=1 does the same.
  -h, --help       Show this message and exit.

  Examples:
    agent-sync prune --dry-run
    agent-sync prune
"""


def every_command(table: CommandTable = COMMANDS, before: str = "") -> Iterator[str]:
    for name, entry in table.items():
        if isinstance(entry, CommandGroup):
            yield from every_command(entry.verbs, f"{name} ")
        else:
            yield before + name


@pytest.mark.parametrize("command", [*every_command()])
def test_r098_the_help_of_every_command_names_every_global_flag(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run(*command.split(), "--help").code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: agent-sync {command} ")
    assert [flag for flag in GLOBAL if f" {flag} " not in shown] == []


def test_help_reads_like_this(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here(tmp_path).run("prune", "-h")
    assert capsys.readouterr().out == HELP_OF_PRUNE


def test_an_argument_is_shown_as_people_write_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here(tmp_path).run("restore", "-h")
    assert "Usage: agent-sync restore [OPTIONS] PATH\n" in (shown := capsys.readouterr().out)
    assert "\n  PATH  The file, from the project's directory.\n" in shown
    here(tmp_path).run("status", "-h")
    assert "Usage: agent-sync status [OPTIONS] [NAME]...\n" in capsys.readouterr().out


def test_the_help_of_the_program_names_every_command_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run("--help").code == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("words", [(), ("cache",), ("--json",)])
def test_without_a_command_the_help_is_on_standard_error(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(tmp_path).run(*words).code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Commands:" in captured.err


def test_the_version_is_told_among_other_flags_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert here(tmp_path).run("--no-color", "--version").code == 0
    assert capsys.readouterr().out == f"agent-sync {__version__}\n"


@pytest.mark.parametrize(
    ("line", "check", "remedy"),
    [
        ("snyc", "No such command 'snyc'. Did you mean 'sync'?", "see agent-sync --help"),
        ("cache lst", "No such command 'lst'. Did you mean 'list'?", "see agent-sync cache --help"),
        ("sync --dry-rn", "No such option: --dry-rn (Possible options: --dry-run)", "see agent-sync sync --help"),
        ("sync extra", "Got unexpected extra argument(s) (extra)", "see agent-sync sync --help"),
        ("restore", "Missing argument 'PATH'.", "see agent-sync restore --help"),
        ("check --config", "Option '--config' requires an argument.", "see agent-sync check --help"),
        ("--no-such check", "No such option: --no-such", "see agent-sync --help"),
    ],
)
def test_wrong_usage_is_an_error_like_every_other(line: str, check: str, remedy: str, tmp_path: Path) -> None:
    told = here(tmp_path).run(*line.split())
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"error[usage]: {check}\n")
    assert told.err.endswith(f"help: {remedy}\n")


@pytest.mark.parametrize("line", ["--json snyc", "snyc --json", "sync --json --dry-rn", "cache --json lst"])
def test_or_a_document(line: str, tmp_path: Path) -> None:
    told = here(tmp_path).run(*line.split())
    assert (told.code, told.err) == (2, "")
    assert told.document["error"]["rule"] == "usage"


def test_behind_two_dashes_json_is_a_word_like_any_other(tmp_path: Path) -> None:
    assert here(tmp_path).run("restore", "--", "a", "--json").err.startswith("error[usage]: Got unexpected")


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
