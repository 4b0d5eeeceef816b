"""Did you mean?"""

from __future__ import annotations

import pytest

from agent_sync_oci.text import closest

_TOOLS = ("cursor", "claude-code", "copilot", "windsurf", "cline", "codex")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cursr", "cursor"),
        ("Cursor", "cursor"),
        ("claude_code", "claude-code"),
        ("claude", "claude-code"),
        ("copliot", "copilot"),
        ("winsurf", "windsurf"),
        ("clien", "cline"),
        ("codex", "codex"),
    ],
)
def test_a_slip_is_understood(word: str, meant: str) -> None:
    assert closest(word, _TOOLS) == meant


@pytest.mark.parametrize("word", ["", "emacs", "x", "zed", "internal-agent"])
def test_another_word_is_no_slip(word: str) -> None:
    assert closest(word, _TOOLS) is None


def test_the_case_of_a_name_does_not_matter() -> None:
    assert closest("base-rules", ["BASE-RULES", "other"]) == "BASE-RULES"


def test_the_only_name_that_begins_with_the_word_is_meant() -> None:
    assert closest("qa", ["base-rules", "qa-skills"]) == "qa-skills"
    assert closest("qa", ["qa-rules", "qa-skills"]) is None
    assert closest("q", ["qa-skills"]) is None


def test_there_is_nothing_near_among_nothing() -> None:
    assert closest("cursor", ()) is None


def test_the_answer_does_not_depend_on_the_order() -> None:
    assert closest("rule", ["rulez", "rules"]) == closest("rule", ["rules", "rulez"]) == "rules"


def test_a_word_of_a_megabyte_is_no_slip_and_costs_nothing() -> None:
    assert closest("a" * 1_000_000, ["a" * 1_000_000, "a"]) is None
    assert closest("a", ["a" * 1_000_000]) is None
    assert closest("a" * 64, ["a" * 64]) == "a" * 64
    assert closest("a" * 65, ["a" * 64]) is None
