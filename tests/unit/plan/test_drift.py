"""Drift and the state of a source: one row for each way in which desired, recorded and actual files can differ."""

from __future__ import annotations

from typing import Any

import pytest

from agent_sync.plan.drift import Drift, Observed, State, drift, state_of
from agent_sync.ports import Kind
from agent_sync.targets import OwnedDirectories
from agent_sync.tree import RelPath
from tests.builders.plans import entries, observed, outputs
from tests.builders.trees import Files

OWNED = OwnedDirectories({RelPath("ours"): False, RelPath("shared"): True, RelPath("shared/ours"): False})


def a_drift(**paths: tuple[str, ...]) -> Drift:
    kinds = ("changed", "missing", "orphaned", "unexpected", "foreign")
    return Drift(*(tuple(map(RelPath, paths.get(kind, ()))) for kind in kinds))


@pytest.mark.parametrize(
    ("disk", "orphaned", "expected"),
    [
        (observed({"ours/a": "1", "b": "2"}), (), a_drift()),
        (observed({"ours/a": "0", "b": "2"}), (), a_drift(changed=("ours/a",))),
        (observed({"b": "2"}, obstacles={"ours/a": Kind.DIRECTORY}), (), a_drift(changed=("ours/a",))),
        (observed({"b": "2"}), (), a_drift(missing=("ours/a",))),
        (observed({"ours/a": "1", "b": "2", "old": "x"}), ("old", "gone"), a_drift(orphaned=("old",))),
        (
            observed({"ours/a": "1", "b": "2"}, obstacles={"old": Kind.LINK}),
            ("old",),
            a_drift(orphaned=("old",)),
        ),
        (
            observed({"ours/a": "1", "b": "2"}, others=("ours/x", "shared/ours/y", "shared/z")),
            (),
            a_drift(unexpected=("ours/x", "shared/ours/y"), foreign=("shared/z",)),
        ),
    ],
)
def test_each_path_that_differs_is_of_one_kind(disk: Observed, orphaned: tuple[str, ...], expected: Drift) -> None:
    desired = outputs({"b": "2", "ours/a": "1"})
    assert drift(desired, disk, orphans=map(RelPath, orphaned), directories=OWNED) == expected


@pytest.mark.parametrize(
    ("found", "clean", "clean_if_strict"),
    [
        ({}, True, True),
        ({"foreign": ("a",)}, True, False),
        ({"changed": ("a",)}, False, False),
        ({"missing": ("a",)}, False, False),
        ({"orphaned": ("a",)}, False, False),
        ({"unexpected": ("a",)}, False, False),
    ],
)
def test_foreign_files_are_no_drift_unless_strict(found: dict[str, Any], *, clean: bool, clean_if_strict: bool) -> None:
    of = a_drift(**found)
    assert (of.clean(strict=False), of.clean(strict=True)) == (clean, clean_if_strict)


@pytest.mark.parametrize(
    ("recorded", "disk", "state"),
    [
        ({}, observed({"a": "new"}), State.SYNCED),
        ({"a": "old"}, observed({"a": "new"}), State.SYNCED),
        ({"a": "old"}, observed({"a": "old"}), State.PENDING),
        ({}, observed(), State.PENDING),
        ({"a": "old"}, observed(), State.PENDING),
        ({"a": "new"}, observed(), State.MISSING),
        ({"a": "new"}, observed({"a": "edit"}), State.DRIFTED),
        ({}, observed({"a": "edit"}), State.DRIFTED),
        ({"a": "new"}, observed(obstacles={"a": Kind.DIRECTORY}), State.DRIFTED),
    ],
)
def test_the_state_of_one_file(recorded: Files, disk: Observed, state: State) -> None:
    assert state_of(entries({"a": "new"}), entries(recorded), disk) is state


@pytest.mark.parametrize(
    ("disk", "state"),
    [
        (observed({"a": "1", "b": "2", "c": "3"}), State.SYNCED),
        (observed({"a": "1", "b": "2", "c": "old"}), State.PENDING),
        (observed({"a": "1", "c": "old"}), State.MISSING),
        (observed({"a": "edit", "c": "old"}), State.DRIFTED),
    ],
)
def test_the_worst_file_decides(disk: Observed, state: State) -> None:
    written = entries({"a": "1", "b": "2", "c": "old"})
    assert state_of(entries({"a": "1", "b": "2", "c": "3"}), written, disk) is state


def test_a_source_without_outputs_is_synced() -> None:
    assert state_of({}, {}, observed()) is State.SYNCED
