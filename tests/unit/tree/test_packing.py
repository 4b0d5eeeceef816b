"""Packing: one pass over the files gives the tar, the tree and the narHash; what changes meanwhile is refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.errors import ContentMismatch
from agent_sync.tree import RelPath
from agent_sync.tree.packing import Chunk, FileToPack, pack
from tests.builders.trees import GOLDEN_FILES, Files, a_tree, files_to_pack, program


def a_file(path: str, *chunks: Chunk, size: int | None = None) -> FileToPack:
    return FileToPack(RelPath(path), sum(map(len, chunks)) if size is None else size, chunks)


def test_the_tree_has_every_file_with_its_digest_and_its_bit() -> None:
    packed = pack(files_to_pack(GOLDEN_FILES), lambda _: None)
    assert packed.tree == a_tree(GOLDEN_FILES)
    assert list(packed.tree) == list(a_tree(GOLDEN_FILES))
    assert packed.tree[RelPath("tools/run.sh")].executable


def test_the_size_is_the_length_of_what_was_written() -> None:
    written: list[bytes] = []
    assert pack(files_to_pack(GOLDEN_FILES), written.append).size == len(b"".join(written))


@given(st.lists(st.binary(max_size=600), max_size=6), st.binary(max_size=3000))
def test_how_content_is_cut_into_chunks_does_not_matter(pieces: list[bytes], more: bytes) -> None:
    chunks = [*pieces, more]
    cut: list[bytes] = []
    whole: list[bytes] = []
    first = pack([a_file("a", *(memoryview(chunk) for chunk in chunks)), a_file("b", b"x")], cut.append)
    second = pack([a_file("a", b"".join(chunks)), a_file("b", b"x")], whole.append)
    assert first == second
    assert b"".join(cut) == b"".join(whole)


@pytest.mark.parametrize(
    "paths",
    [("b", "a"), ("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a.md", "a/b"), ("é", "z")],
    ids=["unsorted", "twice", "a file as a folder", "a folder as a file", "sorted as text", "sorted by locale"],
)
def test_files_out_of_order_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="not in the order of a tree"):
        pack([a_file(path) for path in paths], lambda _: None)


@pytest.mark.parametrize(
    ("chunks", "check"),
    [
        ((b"four", b"!"), "it changed while it was read: it has more than the 4 bytes that it had at first"),
        ((b"fou",), "it changed while it was read: it has 3 of the 4 bytes that it had at first"),
        ((), "it changed while it was read: it has 0 of the 4 bytes that it had at first"),
    ],
    ids=["grown", "shrunk", "emptied"],
)
def test_a_file_that_changes_while_it_is_read_is_refused_by_name(chunks: tuple[bytes, ...], check: str) -> None:
    with pytest.raises(ContentMismatch) as refused:
        pack([a_file("core/a.md", *chunks, size=4)], lambda _: None, subject="source rules")
    assert refused.value.subject == 'source rules, file "core/a.md"'
    assert refused.value.check == check
    assert refused.value.remedy


def test_a_file_is_opened_when_it_is_its_turn_and_not_before() -> None:
    happened: list[str] = []

    def read(name: str) -> Iterator[bytes]:
        happened.append(f"open {name}")
        yield b"x" * 300_000
        happened.append(f"close {name}")

    files = [FileToPack(RelPath(name), 300_000, read(name)) for name in ("a", "b")]
    pack(files, lambda _: happened.append("write"))
    assert happened.index("close a") < happened.index("open b")
    assert happened.index("write") < happened.index("open b")


def test_memory_does_not_grow_with_the_content() -> None:
    chunk = bytes(64 * 1024)
    files = [FileToPack(RelPath(f"{n}"), 512 * len(chunk), (chunk for _ in range(512))) for n in range(3)]
    tracemalloc.start()
    try:
        size = pack(files, lambda _: None).size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 96 * 2**20
    assert peak < 2 * 2**20


def test_small_files_are_written_in_large_pieces() -> None:
    written: list[bytes] = []
    pack(files_to_pack({f"{n:04}": "text" for n in range(2000)}), written.append)
    assert sum(map(len, written)) > 2_000_000
    assert len(written) <= 10


def test_what_was_packed_is_the_same_on_every_run() -> None:
    files: Files = {"b/c.md": "x", "a.md": "y", "tools/run": program("z")}
    again = dict(reversed(list(files.items())))
    first: list[bytes] = []
    second: list[bytes] = []
    assert pack(files_to_pack(files), first.append) == pack(files_to_pack(again), second.append)
    assert first == second
