"""Two locks compared, and one laid over another: the pure core of update's question and of layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.lock import Lock, LockedSource, Orphan
from agent_sync.lock.difference import SourceChange, difference, inherited_difference, inherited_part
from agent_sync.lock.model import overlay
from agent_sync.tree import Change, Entry, RelPath
from tests.builders.locks import a_placement, a_source, overridden
from tests.builders.plans import orphans
from tests.builders.trees import Files, sha256

A = a_source("a", {"x.md": "1"})
A2 = a_source("a", {"x.md": "2", "y.md": "y"})
B = a_source("b", {"b.md": "b"})
TO_A, TO_B = a_placement("a", "to"), a_placement("b", "b")
ONE = Lock(sources=(A,), outputs=(TO_A,))
BOTH = Lock(sources=(A, B), outputs=(TO_A, TO_B))


def changes(before: Files, after: Files) -> tuple[Change, ...]:
    """One change for each path of either, in order."""
    found = []
    for path in sorted({**before, **after}):
        old, new = (Entry(sha256(files[path])) if path in files else None for files in (before, after))
        found.append(Change(RelPath(path), old, new))
    return tuple(found)


def the_orphans(files: Files) -> tuple[Orphan, ...]:
    return tuple(orphans(files, source="a").values())


# -- What changes between two locks.


@pytest.mark.parametrize(
    ("before", "after", "sources", "outputs"),
    [
        (ONE, ONE, [], ()),
        (None, ONE, ["a"], changes({}, {"to/x.md": "1"})),
        (ONE, Lock(), ["a"], changes({"to/x.md": "1"}, {})),
        (ONE, BOTH, ["b"], changes({}, {"b/b.md": "b"})),
        (BOTH, replace(BOTH, sources=(B, A)), [], ()),
        (ONE, Lock(sources=(A2,), outputs=(TO_A,)), ["a"], changes({"to/x.md": "1"}, {"to/x.md": "2", "to/y.md": "y"})),
        (
            ONE,
            replace(ONE, outputs=(a_placement("a", "elsewhere"),)),
            [],
            changes({}, {"elsewhere/x.md": "1"}) + changes({"to/x.md": "1"}, {}),
        ),
        (
            ONE,
            replace(ONE, rendered=overridden({"to/x.md": "mine"})),
            [],
            changes({"to/x.md": "1"}, {"to/x.md": "mine"}),
        ),
    ],
)
def test_sources_that_changed_and_output_files(
    before: Lock | None, after: Lock, sources: list[str], outputs: tuple[Change, ...]
) -> None:
    found = difference(before, after)
    assert [each.name for each in found.sources] == sources
    assert found.outputs == outputs


def test_sources_are_in_the_order_of_the_new_lock_and_those_that_are_gone_come_last() -> None:
    new = Lock(sources=(a_source("z", {}), a_source("c", {})))
    assert [each.name for each in difference(BOTH, new).sources] == ["z", "c", "a", "b"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (A, A2, changes({"x.md": "1"}, {"x.md": "2", "y.md": "y"})),
        (None, A, changes({}, {"x.md": "1"})),
        (A, None, changes({"x.md": "1"}, {})),
    ],
)
def test_the_files_of_a_source(
    before: LockedSource | None, after: LockedSource | None, expected: tuple[Change, ...]
) -> None:
    old, new = (Lock() if each is None else Lock(sources=(each,)) for each in (before, after))
    [change] = difference(old, new).sources
    assert (change.files, change.transformed) == (expected, ())
    assert (change.before is None, change.after is None) == (before is None, after is None)


def test_what_a_transform_made_is_told_apart_from_the_files() -> None:
    before = Lock(sources=(a_source("a", {"x.md": "1"}, made={"x.md": "old"}),))
    after = Lock(sources=(a_source("a", {"x.md": "1"}, made={"x.md": "new"}),))
    [change] = difference(before, after).sources
    assert change == SourceChange(
        "a", change.before, change.after, files=(), transformed=changes({"x.md": "old"}, {"x.md": "new"})
    )


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (ONE, ONE, True),
        (None, Lock(), False),
        (ONE, replace(ONE, orphans=the_orphans({"gone.md": "1"})), False),
        (ONE, replace(ONE, outputs=(a_placement("a", "to", shared=True),)), False),
    ],
)
def test_the_same_lock_is_one_of_the_same_text(before: Lock | None, after: Lock, *, same: bool) -> None:
    assert difference(before, after).same is same


# -- A user's own layers over the shared lock.


@pytest.mark.parametrize(
    ("merged", "part"),
    [
        (ONE, None),
        (BOTH, Lock(sources=(B,), outputs=BOTH.outputs)),
        (replace(ONE, sources=(A2,)), Lock(sources=(A2,))),
        (replace(ONE, outputs=(TO_A, a_placement("a", "mine"))), Lock(outputs=(TO_A, a_placement("a", "mine")))),
        (
            replace(ONE, rendered=overridden({"to/x.md": "mine"})),
            Lock(outputs=ONE.outputs, rendered=overridden({"to/x.md": "mine"})),
        ),
        (replace(ONE, orphans=the_orphans({"gone.md": "1"})), Lock(orphans=the_orphans({"gone.md": "1"}))),
    ],
)
def test_the_part_of_the_layers_is_all_that_the_shared_lock_does_not_say(merged: Lock, part: Lock | None) -> None:
    assert inherited_part(ONE, merged) == part


@pytest.mark.parametrize(
    "merged",
    [
        ONE,
        BOTH,
        replace(ONE, sources=(A2,)),
        replace(BOTH, outputs=(TO_B, TO_A)),
        replace(ONE, rendered=overridden({"to/x.md": "mine"})),
        replace(ONE, orphans=the_orphans({"a/b": "1", "a.md": "1"})),
    ],
)
def test_a_part_laid_over_the_shared_lock_gives_the_merged_one_again(merged: Lock) -> None:
    assert overlay(ONE, inherited_part(ONE, merged)) == merged


@pytest.mark.parametrize(
    ("shared", "inherited", "names", "placements"),
    [
        (BOTH, None, ["a", "b"], BOTH.outputs),
        (BOTH, Lock(sources=(A2,)), ["a", "b"], BOTH.outputs),
        (ONE, Lock(sources=(B,), outputs=(TO_B,)), ["a", "b"], (TO_B,)),
        (ONE, Lock(outputs=()), ["a"], ()),
    ],
)
def test_the_outputs_of_the_layers_hold_if_they_have_any(
    shared: Lock, inherited: Lock | None, names: list[str], placements: object
) -> None:
    merged = overlay(shared, inherited)
    assert [source.name for source in merged.sources] == names
    assert merged.outputs == placements


def test_a_layers_own_pin_of_a_shared_source_replaces_it_in_its_place() -> None:
    assert overlay(BOTH, Lock(sources=(A2,))).sources == (A2, B)


def test_orphans_of_both_are_remembered_once_in_tree_order() -> None:
    shared = replace(ONE, orphans=the_orphans({"z.md": "old", "a.md": "1"}))
    inherited = Lock(orphans=the_orphans({"z.md": "new", "a/b.md": "2"}))
    found = overlay(shared, inherited).orphans
    assert [(each.path, each.entry.sha256) for each in found] == [
        ("a/b.md", sha256("2")),
        ("a.md", sha256("1")),
        ("z.md", sha256("new")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "sources", "outputs"),
    [
        (None, None, [], ()),
        (None, Lock(sources=(B,), outputs=(TO_A, TO_B)), ["b"], changes({}, {"b/b.md": "b"})),
        (Lock(sources=(B,), outputs=(TO_A, TO_B)), None, ["b"], changes({"b/b.md": "b"}, {})),
        (Lock(sources=(A2,)), Lock(sources=(A2,)), [], ()),
        (None, Lock(sources=(A2,)), ["a"], changes({}, {"to/x.md": "2", "to/y.md": "y"})),
    ],
)
def test_of_the_layers_only_what_they_add_is_told(
    before: Lock | None, after: Lock | None, sources: list[str], outputs: tuple[Change, ...]
) -> None:
    found = inherited_difference(before, after, shared_before=ONE, shared_after=ONE)
    assert [each.name for each in found.sources] == sources
    assert found.outputs == outputs
