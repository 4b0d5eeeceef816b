"""The outputs of a lock: what it puts where, and where each file comes from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_sync.lock import Lock, Placement
from agent_sync.lock.model import Derivation, Output, OwnerLayer, outputs_of
from agent_sync.tree import Entry, RelPath
from tests.builders.locks import a_lock, a_placement, a_source, overridden
from tests.builders.trees import sha256

PLAIN = a_source("a", {"x.md": "x", "sub/y.md": "y"})
TRANSFORMED = a_source(
    "a", {"x.md": "x", "same.md": "same", "gone.md": "gone"}, made={"x.md": "X"}, removed=["gone.md"]
)
RULES = a_placement("a", ".claude/rules", tool="claude-code")
TOP = a_placement("a", ".")


@pytest.mark.parametrize(
    ("lock", "path", "expected"),
    [
        (
            a_lock(PLAIN, RULES),
            ".claude/rules/sub/y.md",
            ("y", "a", "sub/y.md", RULES, Derivation.SOURCE),
        ),
        (a_lock(PLAIN, TOP), "sub/y.md", ("y", "a", "sub/y.md", TOP, Derivation.SOURCE)),
        (a_lock(TRANSFORMED, TOP), "x.md", ("X", "a", "x.md", TOP, Derivation.TRANSFORM)),
        (a_lock(TRANSFORMED, TOP), "same.md", ("same", "a", "same.md", TOP, Derivation.SOURCE)),
        (
            replace(a_lock(TRANSFORMED, RULES), rendered=overridden({".claude/rules/x.md": "mine"})),
            ".claude/rules/x.md",
            ("mine", "a", "x.md", RULES, Derivation.OVERRIDE),
        ),
        (
            replace(a_lock(PLAIN), rendered=overridden({"nowhere.md": "mine"})),
            "nowhere.md",
            ("mine", "a", "nowhere.md", None, Derivation.OVERRIDE),
        ),
        (a_lock(PLAIN, RULES, RULES), ".claude/rules/x.md", ("x", "a", "x.md", RULES, Derivation.SOURCE)),
    ],
)
def test_an_output_says_where_it_comes_from(
    lock: Lock, path: str, expected: tuple[str, str, str, Placement | None, Derivation]
) -> None:
    content, source, key, placement, derivation = expected
    entry = Entry(sha256(content))
    assert outputs_of(lock)[RelPath(path)] == Output(entry, source, RelPath(key), placement, derivation)


def test_what_a_transform_removes_is_no_output() -> None:
    assert set(outputs_of(a_lock(TRANSFORMED, TOP))) == {"x.md", "same.md"}


SHARED = Lock(
    sources=(PLAIN, a_source("b", {"b.md": "b"})),
    outputs=(RULES, a_placement("b", "b")),
    rendered=overridden({".claude/rules/x.md": "ours"}),
)


@pytest.mark.parametrize(
    ("merged", "inherited"),
    [
        (SHARED, set()),
        (replace(SHARED, outputs=(*(SHARED.outputs or ()), a_placement("b", "mine"))), {"mine/b.md"}),
        (
            replace(
                SHARED, sources=(*SHARED.sources, a_source("c", {"c.md": "c"})), outputs=(RULES, a_placement("c", "c"))
            ),
            {"c/c.md"},
        ),
        (replace(SHARED, sources=(PLAIN, a_source("b", {"b.md": "pinned elsewhere"}))), {"b/b.md"}),
        (
            replace(SHARED, rendered=overridden({".claude/rules/x.md": "ours", "b/b.md": "my own"}, **{"b/b.md": "b"})),
            {"b/b.md"},
        ),
        (replace(SHARED, rendered=overridden({".claude/rules/x.md": "mine"})), {".claude/rules/x.md"}),
    ],
)
def test_an_output_that_the_shared_lock_does_not_have_is_inherited(merged: Lock, inherited: set[str]) -> None:
    outputs = outputs_of(merged, shared=SHARED)
    assert {path for path, output in outputs.items() if output.layer is OwnerLayer.INHERITED} == inherited


def test_without_layers_every_output_is_shared() -> None:
    assert {output.layer for output in outputs_of(SHARED).values()} == {OwnerLayer.SHARED}
