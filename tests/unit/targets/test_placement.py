"""Targets and tools -> placements, and the directories that are ours."""

from __future__ import annotations

import pytest

from agent_sync.lock import Placement
from agent_sync.targets import owned_directories, placements
from agent_sync.tree import RelPath
from tests.builders.configs import a_config
from tests.builders.locks import a_placement

SOURCES = """
sources:
  - {name: a, type: local, path: ./a/}
  - {name: b, type: local, path: ./b/}
tool_definitions:
  - {name: mine, destination: .mine/rules}
  - {name: claude-code, destination: .moved/}
targets:
"""


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("- {source: a, destination: to/}", [a_placement("a", "to")]),
        ("- {source: a, destination: to, shared: true}", [a_placement("a", "to", shared=True)]),
        ("- {source: a, destination: .}", [a_placement("a", ".", shared=True)]),
        ("- {source: a, tools: [mine]}", [a_placement("a", ".mine/rules", tool="mine")]),
        (
            "- {source: a, tools: [claude-code, mine]}",
            [a_placement("a", ".moved", tool="claude-code", shared=True), a_placement("a", ".mine/rules", tool="mine")],
        ),
        (
            "- {source: a, tools: [mine], shared: true}",
            [a_placement("a", ".mine/rules", tool="mine", shared=True)],
        ),
        (
            "- {source: b, destination: to}\n  - {source: a, destination: to}\n  - {source: b, destination: to/}",
            [a_placement("b", "to"), a_placement("a", "to")],
        ),
    ],
)
def test_every_placement_is_there_once_in_the_order_of_the_targets(targets: str, expected: list[Placement]) -> None:
    assert list(placements(a_config(f"{SOURCES}  {targets}"))) == expected


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("ours/x", False),
        ("ours/deep/x", False),
        ("ours/theirs/x", True),
        ("ours/theirs/back/x", False),
        ("both/x", True),
        ("elsewhere/x", True),
        ("x", True),
        ("oursx", True),
    ],
)
def test_the_innermost_directory_decides_whose_a_file_is(path: str, *, shared: bool) -> None:
    directories = owned_directories(
        [
            a_placement("a", "ours"),
            a_placement("a", "ours/theirs", shared=True),
            a_placement("a", "ours/theirs/back"),
            a_placement("a", "both"),
            a_placement("b", "both", shared=True),
            a_placement("b", ".", shared=True),
        ]
    )
    assert directories.is_shared(RelPath(path)) is shared


def test_the_outermost_directories_cover_all_and_the_root_is_none_of_them() -> None:
    placed = [a_placement("a", to) for to in (".", "x/y", "x", "xy", "x/y/z", "b")]
    assert owned_directories(placed).outermost() == ("b", "x", "xy")
