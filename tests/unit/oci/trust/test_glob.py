"""Patterns over bundle names."""

from __future__ import annotations

import pytest

from agent_sync_oci.trust import matches_glob


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a/b", "a/b"),
        ("a/*", "a/b"),
        ("a/*", "a/"),
        ("*", "ab"),
        ("**", "a/b/c"),
        ("a/**", "a/b/c"),
        ("a**c", "a/b/c"),
        ("*/b/*", "a/b/c"),
        ("**/c", "a/b/c"),
        ("***", "a/b"),
        ("", ""),
        ("a?[b].c", "a?[b].c"),
        ("**\n", "a\n"),
    ],
)
def test_a_pattern_means_this_name(pattern: str, name: str) -> None:
    assert matches_glob(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a/b", "a/b/c"),
        ("a/b", "x/a/b"),
        ("a/*", "a/b/c"),
        ("*", "a/b"),
        ("a/*", "a/b\n/c"),
        ("a/b", "a/b\n"),
        ("a.c", "abc"),
        ("[ab]", "a"),
        ("a?", "ab"),
        ("A/b", "a/b"),
        ("registry.example.com/team/*", "registry.example.com.evil.test/team/x"),
        ("registry.example.com/team/*", "evil.test/registry.example.com/team/x"),
        ("registry.example.com/team/*", "registry.example.com/team-evil/x"),
        ("**/c", "abc"),
        ("", "a"),
        ("a", ""),
    ],
)
def test_a_pattern_does_not_mean_this_name(pattern: str, name: str) -> None:
    assert not matches_glob(pattern, name)


def test_no_pattern_takes_for_ever() -> None:
    """A regular expression made of these would still be at it tomorrow."""
    assert not matches_glob("**a" * 100, "a" * 99 + "/" * 900)
    assert not matches_glob("*" * 2000 + "b", "a" * 500)
