"""Declared paths: one spelling comes out, and none leads outside."""

from __future__ import annotations

import pytest

from agent_sync.errors import UnsafePath
from agent_sync.tree.names import is_absolute, output_directory, project_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("rules", "rules"),
        ("./rules/", "rules"),
        ("././rules//", "rules"),
        ("a/b/", "a/b"),
        (".custom/agents/", ".custom/agents"),
        (".", "."),
        ("./", "."),
    ],
)
def test_every_spelling_of_a_path_is_one_path(text: str, path: str) -> None:
    assert project_path(text, subject="x") == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "../x",
        "a/../../x",
        "a/../x",
        "a/./x",
        "a//x",
        "/",
        "/etc",
        ".//etc",
        "C:\\x",
        "C:/x",
        "a\\b",
        ".git",
        ".GIT/hooks",
        "git~1",
        ".git\u200b",
        "a\nb",
        "a\x1b[31m",
        "nul",
        "x.",
        "~",
        "~/rules",
        "a" * 1100,
    ],
)
def test_a_path_that_is_not_safe_is_refused_with_what_to_write_instead(text: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        project_path(text, subject="the subject")
    assert caught.value.subject == "the subject"
    assert "relative to the project root" in str(caught.value.remedy)
    assert all(character.isprintable() for character in caught.value.check)


@pytest.mark.parametrize(
    "text",
    [".agent-sync", ".agent-sync/kept/", ".Agent-Sync", "agent-sync.yaml", "./agent-sync.lock/", "agent-sync.yaml/x"],
)
def test_no_output_goes_where_our_own_files_lie(text: str) -> None:
    with pytest.raises(UnsafePath, match="belongs to agent-sync"):
        output_directory(text, subject="x")


def test_a_directory_that_only_resembles_ours_is_fine() -> None:
    assert output_directory(".agent-sync-rules/", subject="x") == ".agent-sync-rules"
    assert output_directory("docs/.agent-sync", subject="x") == "docs/.agent-sync"


@pytest.mark.parametrize(
    ("text", "absolute"),
    [("/x", True), ("C:\\x", True), ("c:/x", True), ("\\\\host\\x", True), ("x", False), ("./x", False)],
)
def test_absolute_is_what_is_absolute_on_any_system(text: str, *, absolute: bool) -> None:
    assert is_absolute(text) is absolute


def test_a_path_that_goes_up_is_told_what_that_can_do() -> None:
    with pytest.raises(UnsafePath, match="can lead out of the project"):
        project_path("a/../x", subject="x")
