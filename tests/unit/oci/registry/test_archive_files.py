"""Archive files: when they appear, what they carry over, and that their bytes depend on nothing but what is in them."""

from __future__ import annotations

import itertools
import os
import subprocess
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.registry.archive import ArchiveRegistry
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob


class Broken(Exception):
    """What happens in the middle."""


def write_and_break(file: Path, content: bytes) -> None:
    with ArchiveRegistry(str(file)) as archive:
        put_artifact(archive, content, tag="v1")
        raise Broken


def broken() -> BinaryIO:
    raise Broken


def file_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_nothing_is_there_until_the_archive_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        put_artifact(archive, b"one", bytes(1_000_000), tag="v1")
        assert file_names(file.parent) == []
    assert file_names(file.parent) == ["it.tar"]


def test_an_error_leaves_nothing_and_what_was_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with pytest.raises(Broken):
        write_and_break(file, b"one")
    assert file_names(tmp_path) == []
    with ArchiveRegistry(str(file)) as archive:
        put_artifact(archive, b"one", tag="v1")
    before = file.read_bytes()
    with pytest.raises(Broken):
        write_and_break(file, b"two")
    assert file.read_bytes() == before
    assert file_names(tmp_path) == ["it.tar"]


def test_reading_and_putting_what_is_there_write_nothing(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        assert archive.tags() == ()
    assert file_names(tmp_path) == []
    for _ in range(2):
        with ArchiveRegistry(str(file)) as archive:
            put_artifact(archive, b"one", tag="v1")
        os.utime(file, ns=(1, 1))
    with ArchiveRegistry(str(file)) as archive:
        put_artifact(archive, b"one", tag="v1")
    assert file.stat().st_mtime_ns == 1


def test_the_same_artifacts_make_the_same_file_in_whatever_order_they_come(tmp_path: Path) -> None:
    made = set()
    for number, order in enumerate(itertools.permutations((b"one", b"two", b"three"))):
        file = tmp_path / f"{number}.tar"
        for content in order:
            with ArchiveRegistry(str(file)) as archive:
                put_artifact(archive, content, tag=content.decode())
        made.add(file.read_bytes())
    assert len(made) == 1


def test_an_archive_grows_by_what_is_put(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    contents = [b"%d" % number * 1_000 for number in range(5)]
    for number, content in enumerate(contents):
        with ArchiveRegistry(str(file)) as archive:
            put_artifact(archive, content, tag=f"v{number}")
            assert len(archive.tags()) == number + 1
    with ArchiveRegistry(str(file)) as archive:
        assert [blob_of(archive, described(content)) for content in contents] == contents


def test_a_failed_blob_leaves_no_hole(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        with pytest.raises(Broken):
            archive.put_blob(described(bytes(10_000_000)), broken)
        put_artifact(archive, b"one", tag="v1")
    assert file.stat().st_size < 10_000


def test_other_programs_read_it(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        blob = put_blob(archive, b"one" * 1_000)
    with tarfile.open(file) as tar:
        names = tar.getnames()
        extracted = tar.extractfile(f"blobs/sha256/{blob.digest.hex}")
        assert extracted is not None
        assert extracted.read() == b"one" * 1_000
    listed = subprocess.run(["tar", "-tf", file], capture_output=True, text=True, check=True)
    assert listed.stderr == ""
    assert [name.rstrip("/") for name in listed.stdout.splitlines()] == names
    assert names == ["oci-layout", "index.json", "blobs", "blobs/sha256", f"blobs/sha256/{blob.digest.hex}"]


def test_an_archive_without_a_directory_in_its_name_lies_here(tmp_path: Path) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with ArchiveRegistry("it.tar") as archive:
            put_artifact(archive, b"one", tag="v1")
        assert file_names(tmp_path) == ["it.tar"]
    finally:
        os.chdir(before)


def test_a_link_to_an_archive_is_read_through_and_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.tar", tmp_path / "link.tar"
    with ArchiveRegistry(str(real)) as archive:
        put_artifact(archive, b"one", tag="v1")
    before = real.read_bytes()
    link.symlink_to(real)
    with ArchiveRegistry(str(link)) as archive:
        assert archive.tags() == ("v1",)
        put_artifact(archive, b"two", tag="v2")
    assert real.read_bytes() == before
    with ArchiveRegistry(str(link)) as archive:
        assert archive.tags() == ("v1", "v2")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with ArchiveRegistry(str(tmp_path / "file" / "it.tar")) as archive, pytest.raises(FileSystemError, match="cannot"):
        put_blob(archive, b"one")
