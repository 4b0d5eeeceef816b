"""Anchored globs."""

from __future__ import annotations

import re

import pytest

from agent_sync.tree.names import Globs


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a.md", True),
        ("*.md", "x/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "x/y/a.md", True),
        ("core/", "core/a/b", True),
        ("core/", "corex/a", False),
        ("core", "core/a", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].md", "b.md", True),
        ("[!a-c].md", "b.md", False),
        ("[!a].md", "/.md", False),
        ("a.md", "aXmd", False),
        ("https://github.com/acme/*", "https://github.com/acme/x.git", True),
        ("https://github.com/acme/*", "https://github.com/acme/x/y", False),
        ("https://github.com/acme/*", "https://github.com/acme/x\nhttps://evil", False),
        ("", "", False),
        ("(x)+", "(x)+", True),
    ],
)
def test_a_pattern_matches_the_whole_path_or_nothing(pattern: str, path: str, *, matches: bool) -> None:
    assert (path in Globs([pattern])) is matches


def test_no_pattern_matches_nothing() -> None:
    assert "a" not in Globs(())


def test_a_senseless_range_is_an_error_of_the_pattern() -> None:
    with pytest.raises(re.error):
        Globs(["[z-a]"])
