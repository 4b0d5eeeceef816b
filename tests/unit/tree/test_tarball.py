"""The canonical tar: one spelling for ever, and every reader sees the same files in it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.errors import DigestMismatch, LimitExceeded
from agent_sync.tree import RelPath
from agent_sync.tree.tarball import (
    BLOCK,
    END,
    MAX_SIZE,
    Chunk,
    FileToPack,
    directory_header,
    file_header,
    header_length,
    pack,
    padding,
    size_in,
)
from tests.builders.trees import GOLDEN_FILES, Files, Program, a_tree, as_bytes, files_to_pack, program

GOLDEN = Path(__file__).parents[2] / "golden" / "canonical.tar"
GNU_OPTIONS = [
    "--format=gnu", "--sort=name", "--mtime=@1", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX",
    "--blocking-factor=1",
]  # fmt: skip


def tar_of(files: Mapping[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    pack(files_to_pack(files), written.write)
    return written.getvalue()


def gnu_tar() -> str:
    program = shutil.which("gtar") or shutil.which("tar")
    if program is None or b"GNU tar" not in subprocess.run([program, "--version"], capture_output=True).stdout:
        pytest.skip("GNU tar is not installed")
    return program


def on_disk(files: Mapping[str, str | bytes], directory: Path) -> None:
    for path, content in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_bytes(content))
        file.chmod(0o755 if isinstance(content, Program) else 0o644)


def test_the_canonical_tar_is_spelled_as_it_always_was() -> None:
    assert tar_of(GOLDEN_FILES) == GOLDEN.read_bytes()


def test_gnu_tar_writes_the_same_bytes(tmp_path: Path) -> None:
    on_disk(GOLDEN_FILES, tmp_path / "source")
    written = subprocess.run(
        [gnu_tar(), "-c", *GNU_OPTIONS, "source"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert tar_of(GOLDEN_FILES) == written


def test_python_reads_the_same_files_with_plain_modes_and_no_names() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(GOLDEN_FILES))) as archive:
        members = archive.getmembers()
        found = {each.name.removeprefix("source/"): archive.extractfile(each) for each in members if each.isfile()}
        assert {name: file.read() for name, file in found.items() if file} == {
            path: as_bytes(content) for path, content in GOLDEN_FILES.items()
        }
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 1)}
    assert {m.mode for m in members if m.isdir()} == {0o755}
    assert {m.name for m in members if m.isfile() and m.mode == 0o755} == {"source/tools/run.sh"}
    assert {m.mode for m in members if m.isfile()} == {0o755, 0o644}


@pytest.mark.parametrize("reader", ["tar", "bsdtar"])
def test_other_programs_unpack_the_same_files(reader: str, tmp_path: Path) -> None:
    if reader == "tar":
        reader = gnu_tar()
    elif shutil.which(reader) is None:
        pytest.skip(f"{reader} is not installed")
    archive = tmp_path / "blob"
    archive.write_bytes(tar_of(GOLDEN_FILES))
    subprocess.run([reader, "-xf", archive, "-C", tmp_path], check=True)
    unpacked = {
        str(file.relative_to(tmp_path / "source")): file.read_bytes()
        for file in (tmp_path / "source").rglob("*")
        if file.is_file()
    }
    assert unpacked == {path: as_bytes(content) for path, content in GOLDEN_FILES.items()}


def test_entries_come_depth_first_by_the_bytes_of_their_names() -> None:
    tar = tar_of({"a.md": "", "a/z": "", "a-b/c": "", "B": "", "ä": "", "z": ""})
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        names = [name.removeprefix("source/") for name in archive.getnames()]
    assert names == ["source", "B", "a", "a/z", "a-b", "a-b/c", "a.md", "z", "ä"]


def test_a_tree_without_files_is_one_directory() -> None:
    assert tar_of({}) == directory_header(b"") + END


def test_two_zero_blocks_end_it_and_nothing_more() -> None:
    tar = tar_of({"a.md": "x" * BLOCK})
    assert len(tar) == 5 * BLOCK
    assert tar[-2 * BLOCK :] == bytes(2 * BLOCK)
    assert tar[-3 * BLOCK : -2 * BLOCK] == b"x" * BLOCK


def test_a_name_of_100_bytes_is_in_the_header_and_one_more_takes_an_entry_of_its_own() -> None:
    fits = b"n" * 93
    assert file_header(fits, 0).startswith(b"source/" + fits + b"0000644\0")
    assert file_header(fits + b"n", 0).startswith(b"././@LongLink\0")
    assert len(file_header(fits + b"n", 0)) == 3 * BLOCK


@given(st.text(alphabet="ab/é", min_size=1, max_size=1100))
def test_the_length_of_a_header_is_known_beforehand(path: str) -> None:
    assert header_length(path.encode()) == len(file_header(path.encode(), 7))


@given(st.integers(min_value=0, max_value=MAX_SIZE))
def test_a_header_tells_the_length_again(size: int) -> None:
    assert size_in(file_header(b"a.md", size)) == size


@pytest.mark.parametrize("digits", [b"-0000000001", b"0000000000x", b"\x80\0\0\0\0\0\0\0\0\0\1", b"00000000008", b""])
def test_a_length_that_we_would_never_write_is_none(digits: bytes) -> None:
    header = file_header(b"a.md", 1)
    assert size_in(header[:124] + digits + header[135:] if digits else b"") is None


def test_the_longest_file_is_one_byte_short_of_8_gib() -> None:
    assert size_in(file_header(b"a.md", 8 * 2**30 - 1)) == 8 * 2**30 - 1
    with pytest.raises(LimitExceeded, match=re.escape('file "huge\\x1b.bin": 8589934592 bytes do not fit')):
        file_header(b"huge\x1b.bin", 8 * 2**30)


@given(st.integers(min_value=0, max_value=10_000))
def test_padding_fills_the_last_block(size: int) -> None:
    assert (size + len(padding(size))) % BLOCK == 0
    assert len(padding(size)) < BLOCK


def test_a_path_is_relative_to_the_one_top_level_directory() -> None:
    assert directory_header(RelPath("core").encode())[:13] == b"source/core/\0"


# -- Packing: one pass over the files gives the tar, the tree and the narHash; what changes meanwhile is refused.


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
    ids=["unsorted", "twice", "a file as a directory", "a directory as a file", "sorted as text", "sorted by locale"],
)
def test_files_out_of_order_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="not in the order of a tree"):
        pack([a_file(path) for path in paths], lambda _: None)


@pytest.mark.parametrize(
    ("chunks", "check"),
    [
        ((b"four", b"!"), "the file changed while it was read: now it has more than the 4 bytes that it had at first"),
        ((b"fou",), "the file changed while it was read: now it has 3 of the 4 bytes that it had at first"),
        ((), "the file changed while it was read: now it has 0 of the 4 bytes that it had at first"),
    ],
    ids=["grown", "shrunk", "emptied"],
)
def test_a_file_that_changes_while_it_is_read_is_refused_by_name(chunks: tuple[bytes, ...], check: str) -> None:
    with pytest.raises(DigestMismatch) as refused:
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
