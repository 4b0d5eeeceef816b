"""Trees: their order, what is laid over them, and how two of them differ."""

from __future__ import annotations

import pytest

from agent_sync.tree import Change, Entry, RelPath, Tree, describe_changes
from tests.builders.trees import Files, a_tree, program, sha256

A, B, C = (RelPath(name) for name in "abc")


def test_a_tree_is_in_the_order_of_a_nar_however_it_was_made() -> None:
    names = ["a-b", "a/z", "a.md", "a", "b/c/d", "b-c"]
    entry = Entry(sha256(""))
    assert list(Tree({RelPath(name): entry for name in names})) == ["a", "a/z", "a-b", "a.md", "b/c/d", "b-c"]


def test_the_entries_of_another_tree_win() -> None:
    merged = a_tree({"a": "1", "b": "2"}).overlaid_by(a_tree({"b": "3", "c": "4"}))
    assert merged == a_tree({"a": "1", "b": "3", "c": "4"})


def test_a_tree_without_some_paths_keeps_the_others() -> None:
    assert a_tree({"a": "1", "b": "2"}).without([A, C]) == a_tree({"b": "2"})


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {}, ()),
        ({"a": "1"}, {"a": "1"}, ()),
        ({"a": "1"}, {"a": "2"}, (Change(A, Entry(sha256("1")), Entry(sha256("2"))),)),
        ({"a": "1"}, {"a": program("1")}, (Change(A, Entry(sha256("1")), Entry(sha256("1"), executable=True)),)),
        ({"b": "1"}, {"a": "1"}, (Change(A, None, Entry(sha256("1"))), Change(B, Entry(sha256("1")), None))),
    ],
)
def test_changes_are_every_path_that_differs_in_order(before: Files, after: Files, changes: tuple[Change, ...]) -> None:
    assert a_tree(before).changes_to(a_tree(after)) == changes


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({"a": "1"}, {"a": "2"}, 'changed "a"'),
        ({"a": "1"}, {"a": program("1")}, 'changed the executable bit of "a"'),
        ({"a": "1"}, {"b": "1"}, 'removed "a", added "b"'),
        ({"a": "1", "b": "1", "c": "1"}, {}, 'removed "a", removed "b", removed "c"'),
        ({}, {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"}, 'added "a", added "b", added "c" and 2 more'),
        ({}, {"a\nb": "1"}, 'added "a\\x0ab"'),
    ],
)
def test_a_message_names_the_first_three_files_that_differ(before: Files, after: Files, text: str) -> None:
    assert describe_changes(a_tree(before).changes_to(a_tree(after))) == text
