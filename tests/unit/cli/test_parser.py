"""Global flags are read in front of a command, between its words, and behind it (spec §9.8)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_sync.cli.program import split_argv
from agent_sync.cli.run import Answer, Section, Session, Verb, VerbGroup


def nothing(_session: Session) -> Answer:
    return Answer({})


SYNC = Verb("sync", nothing)
CACHE = VerbGroup("cache", "about", Section.MACHINE, (Verb("cache list", nothing),))
COMMANDS: Mapping[str, Verb | VerbGroup] = {"sync": SYNC, "cache": CACHE}


@pytest.mark.parametrize(
    ("given", "command", "parsed"),
    [
        ("sync --json", ("sync",), "--json"),
        ("--json sync", ("sync",), "--json"),
        ("--config x.yaml --json sync --dry-run", ("sync",), "--config x.yaml --json --dry-run"),
        ("--config=x.yaml sync", ("sync",), "--config=x.yaml"),
        ("--config sync sync", ("sync",), "--config sync"),
        ("cache list --quiet", ("cache", "list"), "--quiet"),
        ("cache --quiet list", ("cache", "list"), "--quiet"),
        ("--offline cache --quiet list -h", ("cache", "list"), "--offline --quiet -h"),
        ("--lockfile x sync -- --json", ("sync",), "--lockfile x -- --json"),
    ],
)
def test_a_command_reads_every_flag_behind_its_name(given: str, command: tuple[str, ...], parsed: str) -> None:
    argv = split_argv(given.split(), COMMANDS)
    assert isinstance(argv.verb, Verb)
    assert argv.words == command
    assert argv.to_parse == parsed.split()


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("", ""),
        ("--json", ""),
        ("snyc --json", "snyc --json"),
        ("--json snyc", "snyc"),
        ("--json=yes sync", "--json=yes sync"),
        ("--dry-run sync", "--dry-run sync"),
        ("cache", ""),
        ("--json cache lst", "lst"),
        ("--config", ""),
    ],
)
def test_without_a_whole_command_what_is_left_tells_what_is_wrong(given: str, parsed: str) -> None:
    argv = split_argv(given.split(), COMMANDS)
    assert not isinstance(argv.verb, Verb)
    assert argv.to_parse == parsed.split()
