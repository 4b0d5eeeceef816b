"""Desired, recorded and actual files -> actions: one row for each way in which the three can differ."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator

import pytest

from agent_sync.errors import FileSystemError, UnsafePath
from agent_sync.plan.actions import MAX_DIFF_BYTES, Action, Plan, Step, build, previews
from agent_sync.ports import Kind
from agent_sync.tree import Entry, RelPath, Sha256
from tests.builders.plans import STAT, entries, observed, orphans, outputs
from tests.builders.trees import Files, program, sha256
from tests.fakes.contents import MemoryContents
from tests.fakes.directory import MemoryDirectory

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
        (Kind.OTHER, FileSystemError, "a special file is in the way"),
    ],
)
def test_what_is_in_the_way_of_an_output_is_an_error_with_its_source(
    kind: Kind, family: type[Exception], check: str
) -> None:
    with pytest.raises(family, match=re.escape(f'source rules, output "a.md": {check}')):
        build(outputs({"a.md": "new"}), {}, observed(obstacles={"a.md": kind}), remove={})


# -- Diffs for people: what is too long for one is told in a sentence, and never held in memory whole.

LONG = "a line\n" * (MAX_DIFF_BYTES // 7 + 1)
PATH = RelPath("a.md")


def preview(before: str | bytes, after: str | bytes) -> str:
    """The diff of one file that is replaced."""
    contents, project = MemoryContents(), MemoryDirectory()
    contents.add({PATH: after})
    project.put(PATH, before if isinstance(before, bytes) else before.encode())
    old, new = (Entry(sha256(each), isinstance(each, bytes)) for each in (before, after))
    [shown] = previews([Action(Step.REPLACE, PATH, "source", old, new)], contents, project)
    return shown.text


def test_a_change_is_shown_line_by_line() -> None:
    assert "-old\n+new\n" in preview("same\nold\n", "same\nnew\n")


def test_a_long_file_is_only_told_to_differ() -> None:
    assert preview("old\n", LONG) == preview(LONG, "new\n") == "Binary or large file a.md differs\n"


def test_long_files_that_begin_alike_differ() -> None:
    assert preview(f"{LONG}old\n", f"{LONG}new\n") == "Binary or large file a.md differs\n"


def test_of_a_long_file_that_only_becomes_a_program_that_is_shown() -> None:
    assert preview(LONG, program(LONG)).endswith("executable: no -> yes\n")


class EndlessContents(MemoryContents):
    """One file of 64 MiB, which is nowhere whole. It notes how much of it was asked for."""

    asked_for = 0

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:  # noqa: ARG002  # there is only one
        for _ in range(256):
            self.asked_for += 1
            yield b"x" * (1 << 18)


def test_a_large_file_is_verified_to_its_end_and_not_held() -> None:
    contents = EndlessContents()
    action = Action(Step.CREATE, PATH, "source", None, Entry(sha256("x")))
    tracemalloc.start()
    try:
        [shown] = previews([action], contents, MemoryDirectory())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shown.text == "Binary or large file a.md differs\n"
    assert contents.asked_for == 256
    assert peak_bytes < 8 * 2**20
