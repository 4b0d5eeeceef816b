"""The pages about bundles, played: each command says what the page shows; the air gap's where there is no network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.builders.command_line import snapshot
from tests.builders.environment import a_clean_environment
from tests.docs.pages import blocks
from tests.docs.session import Outcome, Step, agrees, play, steps_of
from tests.real.no_network import without_network

_PAGES = {"share-a-bundle": False, "sign-and-verify": False, "air-gap": True}  # whether it needs to be cut off


def _steps(name: str) -> list[Step]:
    """Examples of files that belong to no session are left out: a pipeline, and a part of a configuration."""
    session = (
        block
        for block in blocks(f"docs/how-to/{name}.md")
        if block.language == "console" or (block.file is not None and _is_written(block.text))
    )
    return steps_of(session)


def _is_written(text: str) -> bool:
    return text.startswith(("# agent-sync.yaml\n", "# policy.yaml\n"))


@dataclass(frozen=True)
class Played:
    """Where the page was played, and what each step came to."""

    directory: Path
    outcomes: list[Outcome]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@cache
def _played(name: str, directory: Path) -> Played:
    start, home = directory / name / "start", directory / name / "home"
    start.mkdir(parents=True)
    home.mkdir()
    wrapper = without_network() if _PAGES[name] else ()
    return Played(start, play(_steps(name), start, a_clean_environment(home, os.environ), wrapper=wrapper))


_EVERY_STEP = [pytest.param(name, n, id=step.place) for name in _PAGES for n, step in enumerate(_steps(name))]


@pytest.mark.parametrize(("name", "number"), _EVERY_STEP)
def test_a_command_says_what_the_page_shows(directory: Path, name: str, number: int) -> None:
    played = _played(name, directory)
    assert number < len(played.outcomes), "the session did not get there"
    step, outcome = _steps(name)[number], played.outcomes[number]
    assert agrees(step.expected, outcome.printed), f"the page has:\n{step.expected}\nit printed:\n{outcome.printed}"
    assert (outcome.code != 0) == step.fails, f"{step.command} ended with {outcome.code}"


def test_what_was_packed_on_one_side_lies_on_the_other(directory: Path) -> None:
    receiver = _played("air-gap", directory).directory / "receiver"
    assert not (receiver / "agent-sync.yaml").exists()
    for tool in (".claude", ".cursor/rules"):
        assert b"Ask before you add" in snapshot(receiver / tool)["security.md"][1]
