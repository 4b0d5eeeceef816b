"""Which outputs an override is for, and what is said of one that is for none."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from agent_sync.config.model import Override
from agent_sync.errors import TransformFailed
from agent_sync.lock.model import Output, outputs_of
from agent_sync.transform.overrides import match_overrides
from agent_sync.tree import RelPath
from tests.builders.locks import a_lock, a_placement, a_source

FILES = {"core/style.md": "", "core/tests.md": "", "extra/tests.md": "", "naming.md": ""}


def outputs() -> dict[RelPath, Output]:
    return outputs_of(a_lock(a_source("a", FILES), a_placement("a", ".cursor/rules")))


def an_override(target: str) -> Override:
    return Override(target=target, strategy="append", file=RelPath("mine.md"))


def matched(*targets: str, incomplete: bool = False) -> dict[str, list[str]]:
    overrides = [an_override(each) for each in targets]
    found = match_overrides(outputs(), overrides, lambda _: nullcontext(), incomplete=incomplete)
    return {path: [each.target for each in applying] for path, applying in found.items()}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((), {}),
        ((".cursor/rules/naming.md",), {".cursor/rules/naming.md": [".cursor/rules/naming.md"]}),
        (
            ("tests.md",),
            {".cursor/rules/core/tests.md": ["tests.md"], ".cursor/rules/extra/tests.md": ["tests.md"]},
        ),
        (
            ("naming.md", "./.cursor/rules/naming.md"),
            {".cursor/rules/naming.md": ["naming.md", "./.cursor/rules/naming.md"]},
        ),
    ],
)
def test_overrides_are_by_output_in_tree_order_and_in_their_own_order(
    targets: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    found = matched(*targets)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        (".cursor/rules/style.md", 'did you mean ".cursor/rules/core/style.md"?'),
        ("./.cursor/rules/style.md", 'did you mean ".cursor/rules/core/style.md"?'),
        (".cursor/rules/extra/test.md", 'did you mean ".cursor/rules/extra/tests.md"?'),
        (".cursor/rules/cores/tests.md", 'did you mean ".cursor/rules/core/tests.md"?'),
        ("namings.md", 'did you mean "naming.md"?'),
        ("zzz", "correct `target:` (a file name, or with a `/` the whole output path), or remove the override"),
    ],
)
def test_an_override_for_no_output_names_the_one_that_is_likely_meant(target: str, remedy: str) -> None:
    with pytest.raises(TransformFailed) as refused:
        matched(target)
    assert refused.value.subject == f'override of "{target}"'
    assert refused.value.check == "no output has this path or file name"
    assert (refused.value.remedy, refused.value.part) == (remedy, ("target",))


def test_an_override_may_be_for_a_source_that_failed() -> None:
    assert matched("elsewhere.md", incomplete=True) == {}
