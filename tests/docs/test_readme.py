"""The first screen of README.md: that configuration and these three commands give what it shows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tests.builders.environment import a_clean_environment
from tests.builders.repositories import a_git_repository
from tests.docs.pages import blocks, text_of
from tests.docs.session import agrees, play, steps_of

_ADDRESS = "https://github.com/acme/agent-rules.git"
_RULES = {"security.md": "- Never print a secret.\n", "style.md": "- Small functions.\n"}
_FIRST_SCREEN_LINES = 45


def test_the_first_screen_is_what_happens(tmp_path: Path) -> None:
    repository = a_git_repository(tmp_path / "agent-rules", _RULES)
    repository.tag("v1.2.0")
    project = tmp_path / "project"
    (project / "agents").mkdir(parents=True)
    (project / "agents" / "rules.md").write_text("- Ask first.\n")
    about_nix = text_of("README.md").partition("\n## Nix\n")[0].count("\n")  # tests/nix/test_pages.py plays that
    shown = steps_of(block for block in blocks("README.md") if block.line < about_nix)
    assert any(_ADDRESS in step.command for step in shown)
    steps = [replace(step, command=step.command.replace(_ADDRESS, str(repository.path))) for step in shown]
    outcomes = play(steps, project, a_clean_environment(tmp_path, os.environ))
    assert [outcome.code for outcome in outcomes] == [0] * len(steps)
    for step, outcome in zip(steps, outcomes, strict=True):
        assert agrees(step.expected, outcome.printed), outcome.printed
    assert {path.name for path in project.rglob(".*") if path.is_dir()} >= {".claude", ".cursor", ".github"}


def test_the_main_job_is_on_the_first_screen() -> None:
    screen = "\n".join(text_of("README.md").split("\n")[:_FIRST_SCREEN_LINES])
    for needed in ("# agent-sync.yaml", "agent-sync update", "agent-sync sync", "agent-sync check"):
        assert needed in screen
