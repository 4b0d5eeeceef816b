"""Archives from outside: layouts in a tar file that lie, lack parts, or are something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent_sync_oci.digest import EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest, blob_path
from agent_sync_oci.errors import AgentSyncError, DigestMismatch, FileSystemError, LimitExceeded
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES
from agent_sync_oci.registry.archive import ArchiveRegistry
from agent_sync_oci.registry.image_layout import REF_NAME
from tests.builders.artifacts import a_manifest, blob_of, described, put_artifact, put_blob
from tests.builders.places import overwrite
from tests.builders.tars import END, a_directory, a_file, header

MANIFEST = a_manifest(described(b"one"))
A_BLOB = a_file(blob_path(Digest.of(b"one")).encode(), b"one")
A_MANIFEST = a_file(blob_path(MANIFEST.digest).encode(), MANIFEST.content)
OCI_LAYOUT = a_file(LAYOUT_FILE.encode(), LAYOUT_CONTENT)


def an_index(*entries: dict[str, object]) -> bytes:
    return a_file(INDEX_FILE.encode(), json.dumps({"schemaVersion": 2, "manifests": entries}).encode())


INDEX = an_index({**MANIFEST.descriptor.document(), "annotations": {REF_NAME: "v1"}})


def an_archive(directory: Path, *members: bytes) -> ArchiveRegistry:
    file = directory / "it.tar"
    file.write_bytes(b"".join(members))
    return ArchiveRegistry(str(file))


def test_the_members_of_these_tests_are_an_archive_in_any_order(tmp_path: Path) -> None:
    for members in ((OCI_LAYOUT, INDEX, A_BLOB, A_MANIFEST), (A_MANIFEST, A_BLOB, INDEX, OCI_LAYOUT)):
        with an_archive(tmp_path, a_directory(b"blobs/"), *members, END) as archive:
            assert archive.manifest("v1") == MANIFEST
            assert blob_of(archive, described(b"one")) == b"one"


@pytest.mark.parametrize(
    "members",
    [
        (OCI_LAYOUT, INDEX, A_BLOB, A_MANIFEST),
        (OCI_LAYOUT, INDEX, A_BLOB, A_MANIFEST[:-1]),
        (OCI_LAYOUT, INDEX, A_BLOB, A_BLOB, END),
        (OCI_LAYOUT, OCI_LAYOUT, INDEX, END),
        (OCI_LAYOUT, INDEX, a_file(b"./index.json", EMPTY_INDEX), END),
        (OCI_LAYOUT, INDEX, A_BLOB, END, b"x"),
        (OCI_LAYOUT, INDEX, header(b"blobs/x", kind=b"2", link=b"/etc/passwd"), END),
        (OCI_LAYOUT, header(b"index.json", kind=b"1", link=b"oci-layout"), END),
        (OCI_LAYOUT, INDEX, header(b"blobs/x", kind=b"3"), END),
        (OCI_LAYOUT, INDEX, a_file(b"blobs/sha256/../../../x"), END),
        (OCI_LAYOUT, INDEX, a_file(b"blobs"), A_BLOB, END),
        (OCI_LAYOUT, INDEX, header(b"blobs/x", b"\xff" * 12), END),
        (OCI_LAYOUT, INDEX, header(b"blobs/x", b"77777777777\0"), END),
    ],
    ids=["no end", "cut", "a blob twice", "oci-layout twice", "another index", "trailing data", "symbolic link",
         "hard link", "device", "name", "file and directory", "negative", "huge"],
)  # fmt: skip
def test_an_archive_that_is_not_plain_is_refused_before_anything_in_it_is_believed(
    tmp_path: Path, members: tuple[bytes, ...]
) -> None:
    archive = an_archive(tmp_path, *members)
    with archive, pytest.raises(DigestMismatch):
        archive.manifest("v1")
    with archive, pytest.raises(DigestMismatch):
        put_blob(archive, b"two")
    assert (tmp_path / "it.tar").read_bytes() == b"".join(members)


@pytest.mark.parametrize(
    "members",
    [
        (INDEX, A_BLOB, A_MANIFEST, END),
        (OCI_LAYOUT, A_BLOB, A_MANIFEST, END),
        (a_file(b"oci-layout", b'{"imageLayoutVersion":"9"}'), INDEX, END),
        (a_file(b"oci-layout", b"x"), INDEX, END),
        (END,),
    ],
    ids=["no oci-layout", "no index", "another version", "no version", "nothing"],
)
def test_a_tar_file_that_is_no_layout_is_refused(tmp_path: Path, members: tuple[bytes, ...]) -> None:
    archive = an_archive(tmp_path, *members)
    with archive, pytest.raises(FileSystemError, match="layout"):
        archive.tags()
    with archive, pytest.raises(FileSystemError, match="layout"):
        put_blob(archive, b"one")


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08" + bytes(1_000), b"# notes\n" * 200, b"PK\x03\x04" + bytes(600)]
)
def test_another_file_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    archive = an_archive(tmp_path, content)
    with archive, pytest.raises(DigestMismatch):
        archive.tags()
    with archive, pytest.raises(DigestMismatch):
        put_blob(archive, b"one")
    assert (tmp_path / "it.tar").read_bytes() == content


def test_an_index_without_end_is_not_read(tmp_path: Path) -> None:
    index = a_file(b"index.json", b" " * (MAX_MANIFEST_BYTES + 1))
    with an_archive(tmp_path, OCI_LAYOUT, index, END) as archive, pytest.raises(LimitExceeded):
        archive.tags()


def test_a_file_beside_the_layout_is_passed_over_and_not_lost(tmp_path: Path) -> None:
    """Docker writes `manifest.json` there."""
    archive = an_archive(tmp_path, OCI_LAYOUT, INDEX, A_BLOB, A_MANIFEST, a_file(b"manifest.json", b"[]"), END)
    before = (tmp_path / "it.tar").read_bytes()
    assert archive.tags() == ("v1",)
    with archive, pytest.raises(FileSystemError, match=r"manifest\.json"):
        put_artifact(archive, b"two", tag="v2")
    assert (tmp_path / "it.tar").read_bytes() == before


def test_a_blob_under_a_name_that_is_no_digest_is_not_found(tmp_path: Path) -> None:
    upper = blob_path(Digest.of(b"one")).upper().replace("BLOBS/SHA256", "blobs/sha256").encode()
    members = (OCI_LAYOUT, INDEX, a_file(upper, b"one"), a_file(b"blobs/sha512/" + b"0" * 128, b"one"))
    with an_archive(tmp_path, *members, END) as archive:
        assert archive.blob_size(Digest.of(b"one")) is None


def test_a_fifo_or_a_directory_in_place_of_an_archive_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with ArchiveRegistry(str(path)) as archive, pytest.raises(FileSystemError):
            archive.tags()
        with ArchiveRegistry(str(path)) as archive, pytest.raises(FileSystemError):
            put_blob(archive, b"one")


def test_an_archive_that_shrinks_while_it_is_read_is_an_error_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        blob = put_blob(archive, bytes(3_000_000))
        put_artifact(archive, b"one", tag="v1")
    with ArchiveRegistry(str(file)) as archive:
        assert archive.tags() == ("v1",)
        os.truncate(file, 10_000)
        with pytest.raises(AgentSyncError):
            blob_of(archive, blob)


def test_what_another_process_wrote_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = str(tmp_path / "it.tar")
    mine, theirs = ArchiveRegistry(file), ArchiveRegistry(file)
    put_artifact(mine, b"mine", tag="mine")
    put_artifact(theirs, b"theirs", tag="theirs")
    theirs.close()
    with pytest.raises(FileSystemError, match="in the meantime"):
        mine.close()
    with ArchiveRegistry(file) as archive:
        assert archive.tags() == ("theirs",)
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar"]


def test_a_blob_that_was_bad_before_stays_bad_when_the_archive_grows(tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    with ArchiveRegistry(str(file)) as archive:
        blob = put_artifact(archive, b"one", tag="v1").layers[0]
    overwrite(file, blob.digest, b"two")
    with ArchiveRegistry(str(file)) as archive:
        put_artifact(archive, b"three", tag="v2")
    with ArchiveRegistry(str(file)) as archive, pytest.raises(DigestMismatch):
        blob_of(archive, blob)
