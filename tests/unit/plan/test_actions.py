"""Desired, recorded and actual files -> actions: one row for each way in which the three can differ."""

from __future__ import annotations

import re

import pytest

from agent_sync.errors import FileSystemError, UnsafePath
from agent_sync.plan.actions import Action, Plan, Step, build
from agent_sync.ports import Kind
from agent_sync.tree import Entry, RelPath
from tests.builders.plans import STAT, entries, observed, orphans, outputs
from tests.builders.trees import Files, program, sha256

A, OLD, NEW, EDIT = RelPath("a.md"), Entry(sha256("old")), Entry(sha256("new")), Entry(sha256("edit"))


@pytest.mark.parametrize(
    ("recorded", "actual", "action"),
    [
        ({}, {}, Action(Step.CREATE, A, "rules", None, NEW)),
        ({"a.md": "old"}, {}, Action(Step.CREATE, A, "rules", None, NEW)),
        ({}, {"a.md": "new"}, None),
        ({"a.md": "old"}, {"a.md": "new"}, None),
        ({"a.md": "old"}, {"a.md": "old"}, Action(Step.REPLACE, A, "rules", OLD, NEW, edited=False, stat=STAT)),
        ({"a.md": "old"}, {"a.md": "edit"}, Action(Step.REPLACE, A, "rules", EDIT, NEW, edited=True, stat=STAT)),
        ({}, {"a.md": "edit"}, Action(Step.REPLACE, A, "rules", EDIT, NEW, edited=True, stat=STAT)),
        (
            {"a.md": "new"},
            {"a.md": program("new")},
            Action(Step.REPLACE, A, "rules", Entry(sha256("new"), executable=True), NEW, edited=True, stat=STAT),
        ),
    ],
)
def test_an_output_is_created_replaced_or_left(recorded: Files, actual: Files, action: Action | None) -> None:
    plan = build(outputs({"a.md": "new"}), entries(recorded), observed(actual), remove={})
    assert plan == Plan(() if action is None else (action,))


@pytest.mark.parametrize(
    ("recorded", "actual", "removed", "kept_back"),
    [
        ({"a.md": "old"}, {"a.md": "old"}, True, ()),
        ({}, {"a.md": "old"}, True, ()),
        ({"a.md": "new"}, {"a.md": "new"}, True, ()),
        ({"a.md": "old"}, {}, False, ()),
        ({"a.md": "old"}, {"a.md": "edit"}, False, (A,)),
        ({}, {"a.md": "edit"}, False, (A,)),
    ],
)
def test_an_orphan_is_removed_unless_somebody_edited_it(
    recorded: Files, actual: Files, *, removed: bool, kept_back: tuple[RelPath, ...]
) -> None:
    disk = observed(actual)
    plan = build({}, entries(recorded), disk, remove=orphans({"a.md": "old"}))
    action = Action(Step.REMOVE, A, "rules", disk.files[A], None, stat=STAT) if removed else None
    assert plan == Plan(() if action is None else (action,), kept_back)


def test_an_orphan_that_is_no_file_any_more_stays() -> None:
    plan = build({}, {}, observed(obstacles={"a.md": Kind.DIRECTORY}), remove=orphans({"a.md": "old"}))
    assert plan == Plan((), (A,))


def test_actions_are_in_the_order_of_the_paths() -> None:
    desired = {"z.md": "z", "a/b.md": "b", "a.md": "a"}
    plan = build(outputs(desired), {}, observed({"m.md": "m"}), remove=orphans({"m.md": "m"}))
    assert [action.path for action in plan.actions] == ["a/b.md", "a.md", "m.md", "z.md"]


def test_a_plan_needs_the_files_that_it_writes() -> None:
    plan = build(outputs({"a.md": "new", "b.md": "same"}), {}, observed({"b.md": "same"}), remove=orphans({"c": "c"}))
    assert plan.needed == {sha256("new")}


@pytest.mark.parametrize(
    ("kind", "family", "check"),
    [
        (Kind.LINK, UnsafePath, "a symbolic link is in the way"),
        (Kind.DIRECTORY, FileSystemError, "a directory is in the way"),
        (Kind.OTHER, FileSystemError, "something that is no file is in the way"),
    ],
)
def test_what_is_in_the_way_of_an_output_is_an_error_with_its_source(
    kind: Kind, family: type[Exception], check: str
) -> None:
    with pytest.raises(family, match=re.escape(f'source rules, output "a.md": {check}')):
        build(outputs({"a.md": "new"}), {}, observed(obstacles={"a.md": kind}), remove={})
