"""docs/tutorial.md, played from its first command to its last: each says what the page shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders.command_line import snapshot
from tests.builders.environment import a_clean_environment
from tests.docs.pages import blocks
from tests.docs.session import Outcome, Step, agrees, play, steps_of

STEPS = steps_of(blocks("docs/tutorial.md"))
_SOMEBODY = {"NAME": "You", "EMAIL": "you@example.com", "DATE": "1700000000 +0000"}


class Played:
    """The tutorial, played: where its directories are, and what each step came to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        start, home = directory / "start", directory / "home"
        start.mkdir()
        home.mkdir()
        git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _SOMEBODY.items()}
        self.outcomes = play(STEPS, start, {**a_clean_environment(home, os.environ), **git})

    def of(self, step: Step) -> Outcome:
        return self.outcomes[STEPS.index(step)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("tutorial"))


def test_every_step_was_reached(played: Played) -> None:
    assert len(played.outcomes) == len(STEPS)


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.place for step in STEPS])
def test_a_command_says_what_the_page_shows(played: Played, number: int) -> None:
    step, outcome = STEPS[number], played.outcomes[number]
    assert agrees(step.expected, outcome.printed), f"the page has:\n{step.expected}\nit printed:\n{outcome.printed}"
    assert (outcome.code != 0) == step.fails, f"{step.command} ended with {outcome.code}"


def test_the_page_goes_all_the_way() -> None:
    played = [step.command.split()[:2] for step in STEPS]
    journey = [["agent-sync", verb] for verb in ("init", "update", "sync", "check", "diff", "restore", "verify")]
    assert [each for each in journey if each not in played] == []
    assert any("--offline" in step.command for step in STEPS)


def test_both_checkouts_hold_the_same_outputs(played: Played) -> None:
    first, second = played.directory / "start" / "harbour", played.directory / "start" / "second"
    for tool in (".claude", ".cursor"):
        assert snapshot(first / tool) == snapshot(second / tool) != {}
