"""Global flags are read in front of a command, between its words, and behind it (spec §9.8)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_sync.cli.parser import CommandGroup, split_argv

TABLE: Mapping[str, str | CommandGroup] = {"sync": "sync", "cache": CommandGroup("about", {"list": "cache_list"})}


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
    words = split_argv(given.split(), TABLE)
    assert words.complete
    assert words.command == command
    assert words.to_parse == parsed.split()


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
    words = split_argv(given.split(), TABLE)
    assert not words.complete
    assert words.to_parse == parsed.split()
