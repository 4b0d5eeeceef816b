"""Diffs for people: what is too long for one is told in a sentence, and never held in memory whole."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from agent_sync.plan.actions import Action, Step
from agent_sync.plan.preview import MAX_DIFF_BYTES, previews
from agent_sync.tree import Entry, RelPath, Sha256
from tests.builders.trees import program, sha256
from tests.fakes.contents import MemoryContents
from tests.fakes.directory import MemoryDirectory

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
