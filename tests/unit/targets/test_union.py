"""Placed trees in one tree of outputs: who may share a path, and what is refused."""

from __future__ import annotations

import re

import pytest

from agent_sync.errors import AmbiguousOutput, UnsafePath
from agent_sync.lock import LockedSource, Placement
from agent_sync.lock.model import Output
from agent_sync.targets import override_matches, unite
from agent_sync.tree import RelPath
from tests.builders.locks import a_placement, a_source

A = a_source("a", {"x.md": "x", "sub/y.md": "y"})
B = a_source("b", {"x.md": "another"})
SAME_AS_A = a_source("c", {"x.md": "x"})
TWICE = a_source("d", {"x.md": "one", "sub/x.md": "two"})


def united(*placements: Placement, override: str | None = None) -> dict[RelPath, Output]:
    def overridden(path: RelPath) -> bool:
        return override is not None and override_matches(override, path)

    return unite(placements, {each.name: each for each in (A, B, SAME_AS_A, TWICE)}, overridden=overridden)


@pytest.mark.parametrize(
    ("target", "path", "matches"),
    [
        ("x.md", "x.md", True),
        ("x.md", "deep/down/x.md", True),
        ("x.md", "deep/xx.md", False),
        ("deep/x.md", "deep/x.md", True),
        ("./deep/x.md", "deep/x.md", True),
        ("./x.md", "x.md", True),
        ("./x.md", "deep/x.md", False),
        ("deep/x.md", "deep/down/x.md", False),
        ("deep/", "deep", False),
    ],
)
def test_an_override_is_for_a_file_name_or_with_a_slash_for_one_path(target: str, path: str, *, matches: bool) -> None:
    assert override_matches(target, RelPath(path)) is matches


@pytest.mark.parametrize(
    ("placements", "paths"),
    [
        ((), []),
        ((a_placement("a", "."),), ["sub/y.md", "x.md"]),
        ((a_placement("a", "to"),), ["to/sub/y.md", "to/x.md"]),
        ((a_placement("a", "to"), a_placement("b", "other")), ["other/x.md", "to/sub/y.md", "to/x.md"]),
        ((a_placement("a", "to", tool="one"), a_placement("a", "to", tool="two")), ["to/sub/y.md", "to/x.md"]),
    ],
)
def test_every_placed_file_is_an_output(placements: tuple[Placement, ...], paths: list[str]) -> None:
    assert sorted(united(*placements)) == paths


CLAUDE, CURSOR = a_placement("a", "to", tool="claude-code"), a_placement("b", "to", tool="cursor")


@pytest.mark.parametrize(
    ("placements", "check"),
    [
        ((a_placement("a", "to"), a_placement("b", "to")), 'the sources "a" and "b" both write this path'),
        ((CLAUDE, CURSOR), 'the sources "a" (tool claude-code) and "b" (tool cursor) both write this path'),
        ((a_placement("a", "to"), a_placement("c", "to")), 'the sources "a" and "c" both write this path'),
        (
            (a_placement("d", "to"), a_placement("d", "to/sub"), a_placement("d", "to")),
            'the files "sub/x.md" and "x.md" of source "d" both have this path',
        ),
    ],
)
def test_two_files_never_meet_at_one_path(placements: tuple[Placement, ...], check: str) -> None:
    with pytest.raises(AmbiguousOutput, match=re.escape(check)):
        united(*placements)


def test_an_override_decides_and_the_last_placement_is_its_base() -> None:
    outputs = united(a_placement("a", "to"), a_placement("b", "to"), override="x.md")
    assert outputs[RelPath("to/x.md")].source == "b"


@pytest.mark.parametrize(
    ("source", "to", "check"),
    [
        (a_source("e", {".agent-sync/x": ""}), ".", "the path belongs to agent-sync itself"),
        (a_source("e", {"Agent-Sync.lock": ""}), ".", "the path belongs to agent-sync itself"),
        (a_source("e", {"a.md": "", "A.md": ""}), "to", "are the same file on some systems"),
        (a_source("e", {"a": "", "A/b": ""}), "to", "are the same file on some systems"),
    ],
)
def test_an_output_is_none_of_our_files_and_no_two_are_one(source: LockedSource, to: str, check: str) -> None:
    with pytest.raises(UnsafePath, match=re.escape(check)):
        unite((a_placement("e", to),), {"e": source}, overridden=lambda _: False)
