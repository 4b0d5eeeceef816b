"""Tar archives that two programs would read as two things, or that are no plain files and directories."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync_oci.errors import AgentSyncError, DigestMismatch, LimitExceeded
from agent_sync_oci.tar.reader import MAX_EXTENSION_BYTES, TarReader
from tests.builders.tars import END, GNU, a_directory, a_file, filled, header, long_name, pax, record
from tests.real.components import require


def read(archive: bytes, *, seeking: bool = False, max_members: int = 1_000) -> dict[str, bytes | None]:
    """The files with their content, and the directories with None; `seeking`: as of a file on a disk."""
    reader = TarReader(
        io.BytesIO(archive), subject="it", file_size=len(archive) if seeking else None, max_members=max_members
    )
    found: dict[str, bytes | None] = {}
    for member in reader:
        content = bytearray()
        if len(found) % 2 == 0 or not seeking:  # the others are passed over
            reader.copy(content.extend)
            assert archive[member.offset : member.offset + member.size] == content
        else:
            content += archive[member.offset : member.offset + member.size]
        found[member.name] = None if member.is_directory else bytes(content)
    return found


def refused(archive: bytes) -> str:
    checks = set()
    for seeking in (False, True):
        with pytest.raises(DigestMismatch) as caught:
            read(archive, seeking=seeking)
        checks.add(caught.value.check)
    assert all(check.isprintable() for check in checks)
    return " ".join(checks)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (b"1", "hard link"), (b"2", "symbolic link"), (b"3", "character device"), (b"4", "block device"),
        (b"6", "fifo"), (b"S", "sparse"), (b"7", "type"), (b"K", "type"), (b"D", "type"), (b"M", "type"),
        (b"V", "type"), (b"X", "type"), (b"A", "type"), (b"\xff", "type"),
    ],
)  # fmt: skip
def test_nothing_but_files_and_directories_is_taken(kind: bytes, what: str) -> None:
    assert what in refused(a_file(b"a", b"") + header(b"b", kind=kind, link=b"/etc/passwd") + END)


@pytest.mark.parametrize(
    "name",
    [
        b"../x", b"a/../../x", b"/etc/passwd", b"//x", b"a//b", b"a/./b", b".", b"./", b"./../x", b"././x", b"a/..",
        b"..", b"C:\\x", b"..\\x", b"a\nb", b"a\x1b[2J", b"a\x7f", b"a/", b"", b"\xff\xfe", b"\xed\xa0\x80",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_is_not_plain_is_refused(name: bytes) -> None:
    assert "name" in refused(a_file(name) + END)
    assert "name" in refused(long_name(name) + a_file(b"x", magic=GNU) + END)
    assert "name" in refused(pax((b"path", name)) + a_file(b"x") + END)


def test_a_prefix_leads_nowhere_else_either() -> None:
    assert "name" in refused(a_file(b"x", prefix=b"../..") + END)
    assert "name" in refused(a_file(b"../x", prefix=b"a") + END)
    assert "name" in refused(pax((b"path", b"a\0b")) + a_file(b"x") + END)


def test_what_gnu_keeps_in_place_of_a_prefix_is_no_name() -> None:
    assert read(a_file(b"x", prefix=b"12345670123\0", magic=GNU) + END) == {"x": b"x"}


@pytest.mark.parametrize(
    "members",
    [
        a_file(b"a") + a_file(b"a"),
        a_file(b"a") + a_file(b"./a"),
        a_file(b"a") + a_file(b"a/b"),
        a_file(b"a/b") + a_file(b"a"),
        a_file(b"a") + a_directory(b"a/"),
        a_directory(b"a/") + a_file(b"a"),
        a_file(b"a") + a_file(b"a/b/c/d"),
        a_file(b"a/b/c/d") + a_file(b"a/b"),
    ],
)
def test_a_name_twice_or_a_file_that_is_also_a_directory_is_refused(members: bytes) -> None:
    check = refused(members + END)
    assert "twice" in check or "is a file" in check


@pytest.mark.parametrize(
    ("in_pax", "in_header"), [(b"1", 513), (b"513", 1), (b"0", 1), (b"1", 0), (b"600", 0), (b"8589934591", 1)]
)
def test_two_sizes_for_one_file_are_refused(in_pax: bytes, in_header: int) -> None:
    """Who follows the one sees other files after this one than who follows the other."""
    hidden = filled(a_file(b"hidden"))
    assert "two sizes" in refused(pax((b"size", in_pax)) + header(b"a", in_header) + hidden + END)


def test_one_size_said_twice_is_one_size() -> None:
    assert read(pax((b"size", b"3")) + a_file(b"a", b"one") + END) == {"a": b"one"}


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 12, b"\xff" * 11 + b"\x00", b"\x81" + b"\0" * 10 + b"\x01", b"\xc0" + b"\0" * 11,
        b"\x80\0\0\0\x80" + b"\0" * 7, b"-0000000001\0", b"0000000000x\0", b"00000000 01\0", b"0x000000001\0",
        b"1e000000000\0", "\u0660".encode() * 6,
    ],
)  # fmt: skip
def test_a_size_that_is_no_number_of_bytes_is_refused(size: bytes) -> None:
    assert "size" in refused(header(b"a", size) + filled(b"x") + END)


@pytest.mark.parametrize("size", [b"\x80" + (2**62).to_bytes(11), b"77777777777\0", b"\x80" + (2**63 - 1).to_bytes(11)])
def test_a_size_beyond_the_end_is_refused_before_anything_is_written(size: bytes) -> None:
    archive = header(b"a", size) + filled(b"x") + END
    with pytest.raises(DigestMismatch, match="ends"):
        next(iter(TarReader(io.BytesIO(archive), subject="it", file_size=len(archive))))
    with pytest.raises(DigestMismatch, match="ends"):
        read(archive)


@pytest.mark.parametrize("size", [b"-1", b"", b"1.0", b"0x1", b" 1", b"9" * 19, b"9" * 30, "\u0663".encode()])
def test_a_size_of_an_extension_that_is_no_number_is_refused(size: bytes) -> None:
    refused(pax((b"size", size)) + a_file(b"a") + END)


@pytest.mark.parametrize(
    "key",
    [b"GNU.sparse.major", b"GNU.sparse.name", b"linkpath", b"hdrcharset", b"SCHILY.realsize", b"SCHILY.filetype",
     b"size ", b"PATH", b"SUN.holesdata", b"\xff"],
)  # fmt: skip
def test_an_extension_that_is_not_understood_is_refused(key: bytes) -> None:
    refused(pax((key, b"1")) + a_file(b"a") + END)


@pytest.mark.parametrize(
    "content",
    [
        b"x", b"5 a=", b"6 a=b\n ", b"06 a=b\n", b"+6 a=b\n", b"-6 a=b\n", b"7 a=b\n", b"5 a=b\n", b"99 a=b\n",
        b"6  a=b\n", b"3 =\n", b"5 =b\n", b"6 a=bb", b"4 a=\n", b"6 a=b\n\0", b"99999999999999999999 a=b\n",
    ],
)  # fmt: skip
def test_a_malformed_extension_is_refused(content: bytes) -> None:
    refused(header(b"x", len(content), kind=b"x") + filled(content) + a_file(b"a") + END)


@pytest.mark.parametrize(
    "before",
    [
        pax((b"path", b"b")) + long_name(b"c"),
        long_name(b"c") + pax((b"path", b"b")),
        pax((b"path", b"b")) + pax((b"path", b"c")),
        long_name(b"b") + long_name(b"c"),
        pax((b"path", b"b"), (b"path", b"c")),
        pax((b"path", b"b")) + pax((b"comment", b"c"), kind=b"g"),
    ],
    ids=["pax, GNU", "GNU, pax", "pax twice", "GNU twice", "one key twice", "pax, global"],
)
def test_two_names_for_one_file_are_refused(before: bytes) -> None:
    """Readers disagree on which counts; three bugs of one library in one year were of this kind."""
    check = refused(before + a_file(b"a") + END)
    assert "two extended headers before one member" in check or 'says "path" twice' in check


@pytest.mark.parametrize("record", [(b"path", b"b"), (b"size", b"0")])
def test_a_header_for_all_members_names_and_sizes_none(record: tuple[bytes, bytes]) -> None:
    assert "global" in refused(pax(record, kind=b"g") + a_file(b"a") + END)


def test_a_comment_for_all_members_is_passed_over() -> None:
    """`git archive` writes one."""
    assert read(pax((b"comment", b"0" * 40), kind=b"g") + a_file(b"a") + END) == {"a": b"x"}


def test_an_extension_before_nothing_is_refused() -> None:
    assert "without a member" in refused(a_file(b"a") + long_name(b"b") + END)
    assert "without a member" in refused(a_file(b"a") + pax((b"path", b"b")) + END)


def test_an_extension_without_end_is_not_read() -> None:
    for kind in (b"x", b"L", b"g"):
        with pytest.raises(LimitExceeded):
            read(header(b"x", MAX_EXTENSION_BYTES + 1, kind=kind) + END)


def test_more_members_than_allowed_are_refused() -> None:
    archive = b"".join(a_file(b"%d" % number, b"") for number in range(11)) + END
    assert len(read(archive, max_members=11)) == 11
    with pytest.raises(LimitExceeded, match="10 members"):
        read(archive, max_members=10)


@pytest.mark.parametrize("mode", [b"0004755\0", b"0002755\0", b"0006644\0"])
def test_a_file_that_is_to_run_as_somebody_else_is_refused(mode: bytes) -> None:
    assert "setuid" in refused(a_file(b"a", mode=mode) + END)


def test_a_directory_with_content_is_refused() -> None:
    assert "content" in refused(header(b"a/", 1, kind=b"5") + filled(b"x") + END)


@pytest.mark.parametrize("magic", [b"\0" * 8, b"ustar\x0001", b"ustar\0\0\0", b"USTAR\x0000", b"ustar 00"])
def test_a_header_of_another_format_is_refused(magic: bytes) -> None:
    assert "neither" in refused(a_file(b"a", magic=magic) + END)


def test_a_header_of_stars_format_is_refused() -> None:
    """Its prefix is shorter, so that the name would be another."""
    assert "POSIX has none" in refused(a_file(b"a", pad=b"\0" * 8 + b"tar\0") + END)


@pytest.mark.parametrize("checksum", [b"0000000\0", b"        ", b"\xff" * 8, b"-000001\0"])
def test_a_wrong_checksum_is_refused(checksum: bytes) -> None:
    assert "checksum" in refused(a_file(b"a", checksum=checksum) + END)


def test_an_archive_that_is_cut_anywhere_is_refused() -> None:
    whole = long_name(b"n" * 200) + a_file(b"a", b"x" * 700, magic=GNU) + a_directory(b"b/") + a_file(b"b/c") + END
    assert len(read(whole)) == 3
    for length in range(0, len(whole), 256):
        refused(whole[:length])


@pytest.mark.parametrize("after", [b"x", a_file(b"b"), bytes(512) + b"x", bytes(100_000) + b"x"])
def test_what_follows_the_end_is_refused(after: bytes) -> None:
    assert "follows" in refused(a_file(b"a") + END + after)
    assert "follows" in refused(a_file(b"a") + bytes(512) + after.ljust(512, b"x"))


def test_zeros_after_the_end_are_how_records_are_filled() -> None:
    assert read(a_file(b"a") + END + bytes(9_216)) == {"a": b"x"}


def test_a_compressed_archive_is_refused() -> None:
    assert "header" in refused(b"\x1f\x8b\x08" + bytes(range(256)) * 4)


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_no_change_of_a_few_bytes_breaks_more_than_the_reading(seed: int, changes: int) -> None:
    """Whatever the bytes: the same files as before, others, or an error of ours."""
    whole = bytearray(
        pax((b"path", b"\xc3\xa9" * 90)) + a_file(b"x", b"y" * 600) + a_directory(b"d/") + a_file(b"d/e") + END
    )
    choose = random.Random(seed)
    for _ in range(changes):
        whole[choose.randrange(len(whole))] = choose.randrange(256)
    outcomes = []
    for seeking in (False, True):
        try:
            outcomes.append(read(bytes(whole), seeking=seeking))
        except AgentSyncError as error:
            outcomes.append({type(error).__name__: None})
    assert outcomes[0] == outcomes[1]


_NAME = st.text(st.sampled_from("aé漢😀 -._") | st.characters(categories=["L", "N"]), min_size=1, max_size=60)
_PATH = st.lists(_NAME.filter(lambda name: name not in (".", "..")), min_size=1, max_size=5).map("/".join)
_FILES = st.dictionaries(_PATH, st.binary(max_size=1_500), max_size=8)


@given(_FILES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.booleans())
def test_what_python_writes_of_plain_files_is_read_as_it_is(files: dict[str, bytes], form: int, dotted: bool) -> None:
    inside = {name for path in files for name in _above(path)}
    files = {path: content for path, content in files.items() if path not in inside}
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(f"./{path}" if dotted else path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert read(written.getvalue()) == read(written.getvalue(), seeking=True) == files


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


@pytest.mark.parametrize(
    "words",
    [("tar", "--format=gnu"), ("tar", "--format=pax"), ("tar", "--format=ustar"), ("bsdtar", "--format=pax"),
     ("bsdtar", "--format=ustar"), ("bsdtar", "--format=gnutar")],
    ids=" ".join,
)  # fmt: skip
def test_what_other_programs_write_of_a_directory_is_read_as_it_is(tmp_path: Path, words: tuple[str, str]) -> None:
    program = "tar" if words[0] == "tar" else require(words[0])
    files = {"a.md": b"one", "b/c.md": b"", "b/" + "long/" * 18 + "d.md": bytes(5_000), "e": b"x" * 512}
    for path, content in files.items():
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_bytes(content)
    (tmp_path / "in" / "e").chmod(0o755)
    archive = tmp_path / "it.tar"
    subprocess.run([program, words[1], "-cf", archive, "-C", tmp_path / "in", "."], check=True)
    found = read(archive.read_bytes(), seeking=True)
    assert {path: content for path, content in found.items() if content is not None} == files
    reader = TarReader(io.BytesIO(archive.read_bytes()), subject="it")
    assert [member.name for member in reader if member.executable] == ["e"]


def test_records_of_every_length_are_written_by_the_builder_as_pax_wants_them() -> None:
    for length in range(200):
        assert int(record(b"path", b"n" * length).split(b" ")[0]) == len(record(b"path", b"n" * length))
