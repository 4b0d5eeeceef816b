"""The canonical tar: one spelling for ever, and every reader sees the same files in it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.errors import LimitExceeded
from agent_sync.tree import RelPath
from agent_sync.tree.packing import pack
from agent_sync.tree.tarball import (
    BLOCK,
    END,
    MAX_SIZE,
    file_header,
    folder_header,
    header_length,
    padding,
    size_in,
)
from tests.builders.trees import GOLDEN_FILES, Program, as_bytes, files_to_pack

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


def on_disk(files: Mapping[str, str | bytes], folder: Path) -> None:
    for path, content in files.items():
        file = folder / path
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


def test_a_tree_without_files_is_one_folder() -> None:
    assert tar_of({}) == folder_header(b"") + END


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
    with pytest.raises(LimitExceeded, match=re.escape('file "huge\\x1b.bin": its 8589934592 bytes do not fit')):
        file_header(b"huge\x1b.bin", 8 * 2**30)


@given(st.integers(min_value=0, max_value=10_000))
def test_padding_fills_the_last_block(size: int) -> None:
    assert (size + len(padding(size))) % BLOCK == 0
    assert len(padding(size)) < BLOCK


def test_a_path_is_relative_to_the_one_top_level_folder() -> None:
    assert folder_header(RelPath("core").encode())[:13] == b"source/core/\0"
