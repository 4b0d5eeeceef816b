"""Layout directories as an attacker left them: links, fifos, lies, and an index that does not end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_sync_oci.digest import BLOBS_DIRECTORY, INDEX_FILE, LAYOUT_FILE, Digest, blob_path
from agent_sync_oci.errors import AgentSyncError, DigestMismatch, FileSystemError, LimitExceeded, NotFound
from agent_sync_oci.manifest import MAX_MANIFEST_BYTES, Manifest
from agent_sync_oci.registry.image_layout import REF_NAME
from agent_sync_oci.registry.layout import LayoutRegistry
from tests.builders.artifacts import blob_of, described, put_artifact, put_blob


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout with the blob `one` and a manifest at the tag `v1`."""
    directory = tmp_path / "layout"
    with LayoutRegistry(str(directory)) as registry:
        put_artifact(registry, b"one", tag="v1")
    return directory


def replaced_by_a_link(path: Path, target: Path) -> None:
    path.rename(target)
    path.symlink_to(target)


def contents(path: Path) -> dict[str, bytes]:
    """Every file at or below the path."""
    return {str(each): each.read_bytes() for each in (path, *path.rglob("*")) if each.is_file()}


def tagged(directory: Path) -> Manifest:
    with LayoutRegistry(str(directory)) as registry:
        found = registry.manifest("v1")
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize("path", [LAYOUT_FILE, INDEX_FILE, "blobs", BLOBS_DIRECTORY])
def test_a_link_in_a_layout_is_not_followed(layout: Path, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    replaced_by_a_link(layout / path, outside)
    before = contents(outside)
    with pytest.raises(AgentSyncError):
        tagged(layout)
    with LayoutRegistry(str(layout)) as registry, pytest.raises(FileSystemError):
        put_artifact(registry, b"two", tag="v2")
    assert contents(outside) == before
    assert (layout / path).is_symlink()


def test_a_layout_that_is_reached_through_a_link_is_used(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(layout)
    with LayoutRegistry(str(tmp_path / "link")) as registry:
        assert registry.tags() == ("v1",)


def test_a_blob_that_is_a_link_is_not_followed_and_is_replaced(layout: Path, tmp_path: Path) -> None:
    blob = described(b"one")
    outside = tmp_path / "outside"
    replaced_by_a_link(layout / blob_path(blob.digest), outside)
    with LayoutRegistry(str(layout)) as registry:
        assert registry.blob_size(blob.digest) is None
        with pytest.raises(FileSystemError, match="link"):
            blob_of(registry, blob)
        put_blob(registry, b"one")
        assert blob_of(registry, blob) == b"one"
    assert not (layout / blob_path(blob.digest)).is_symlink()
    assert outside.read_bytes() == b"one"


@pytest.mark.parametrize("path", [LAYOUT_FILE, INDEX_FILE, blob_path(Digest.of(b"one"))])
def test_a_fifo_is_refused_and_does_not_keep_us_waiting(layout: Path, path: str) -> None:
    (layout / path).unlink()
    os.mkfifo(layout / path)
    with (
        LayoutRegistry(str(layout)) as registry,
        pytest.raises(FileSystemError, match=r"not a regular file|not an image layout"),
    ):
        blob_of(registry, registry.manifest("v1").descriptor if path == INDEX_FILE else described(b"one"))


@pytest.mark.parametrize("content", [b"tw", b"twoo", b"two", b""], ids=["short", "long", "other", "empty"])
def test_a_blob_that_is_not_what_its_name_says_is_refused(layout: Path, content: bytes) -> None:
    (layout / blob_path(Digest.of(b"one"))).write_bytes(content)
    with LayoutRegistry(str(layout)) as registry, pytest.raises(DigestMismatch):
        blob_of(registry, described(b"one"))


@pytest.mark.parametrize("content", [b"", b"on"], ids=["empty", "cut"])
def test_a_blob_that_a_power_cut_left_short_is_written_again(layout: Path, content: bytes) -> None:
    (layout / blob_path(Digest.of(b"one"))).write_bytes(content)
    with LayoutRegistry(str(layout)) as registry:
        assert blob_of(registry, put_blob(registry, b"one")) == b"one"


def test_a_blob_without_end_is_read_no_further_than_was_said(layout: Path) -> None:
    with (layout / blob_path(Digest.of(b"one"))).open("wb") as file:
        file.truncate(1 << 40)
    taken = bytearray()
    with LayoutRegistry(str(layout)) as registry, pytest.raises(DigestMismatch, match="more than"):
        registry.get_blob(described(b"one"), taken.extend)
    assert len(taken) <= 3


@pytest.mark.parametrize("path", [INDEX_FILE, LAYOUT_FILE])
def test_a_file_without_end_is_not_read_to_its_end(layout: Path, path: str) -> None:
    with (layout / path).open("r+b") as file:
        file.truncate(1 << 40)
    with LayoutRegistry(str(layout)) as registry, pytest.raises((LimitExceeded, FileSystemError)):
        registry.manifest("v1")


def test_a_manifest_without_end_is_not_read_to_its_end(layout: Path) -> None:
    digest = tagged(layout).digest
    with (layout / blob_path(digest)).open("r+b") as file:
        file.truncate(1 << 40)
    with LayoutRegistry(str(layout)) as registry, pytest.raises((LimitExceeded, DigestMismatch)):
        registry.manifest(digest)


def index_of(directory: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads((directory / INDEX_FILE).read_bytes())
    return found


def write_index(directory: Path, *entries: object, **others: object) -> None:
    whole = {**index_of(directory), "manifests": entries, **others}
    (directory / INDEX_FILE).write_text(json.dumps(whole))


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:../../x"},
        {"size": 2**63},
        {"size": -1},
        {"size": "12"},
        {"size": 12},
        {"mediaType": "application/vnd.oci.image.index.v1+json"},
        {"digest": Digest.of(b"one")},
        {"annotations": {REF_NAME: 7}},
    ],
    ids=str,
)
def test_an_entry_that_lies_is_refused(layout: Path, change: dict[str, object]) -> None:
    (entry,) = index_of(layout)["manifests"]
    write_index(layout, {**entry, "annotations": {REF_NAME: "v1"}, **change})
    with pytest.raises(DigestMismatch):
        tagged(layout)


def test_a_tag_that_names_two_things_is_refused(layout: Path) -> None:
    with LayoutRegistry(str(layout)) as registry:
        other = put_artifact(registry, b"two", tag="v2")
    entries = index_of(layout)["manifests"]
    write_index(layout, *({**entry, "annotations": {REF_NAME: "v1"}} for entry in entries))
    with pytest.raises(DigestMismatch, match="2 manifests"):
        tagged(layout)
    with LayoutRegistry(str(layout)) as registry:
        registry.put_manifest(other, tag="v1")
    assert tagged(layout) == other


def test_an_index_that_is_also_a_manifest_is_refused(layout: Path) -> None:
    write_index(layout, *index_of(layout)["manifests"], layers=[], config={})
    with pytest.raises(DigestMismatch, match="at once"):
        tagged(layout)


def test_an_index_that_lists_more_than_can_be_looked_at_is_refused(layout: Path) -> None:
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": MAX_MANIFEST_BYTES}
    write_index(layout, *({**entry, "digest": Digest.of(b"%d" % number)} for number in range(20)))
    with LayoutRegistry(str(layout)) as registry, pytest.raises(LimitExceeded):
        registry.referrers(Digest.of(b"one"))


def test_an_entry_for_nothing_is_no_referrer_and_keeps_nothing_from_being_found(layout: Path) -> None:
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 7, "digest": Digest.of(b"nothing")}
    write_index(layout, entry, {**entry, "size": 3, "digest": Digest.of(b"one")}, *index_of(layout)["manifests"])
    with LayoutRegistry(str(layout)) as registry:
        assert registry.referrers(tagged(layout).digest) == ()


@pytest.mark.parametrize(
    "content", [b"x", b"[]", b"{}", b'{"imageLayoutVersion":"2.0.0"}', b'{"imageLayoutVersion":1}']
)
def test_a_layout_of_another_version_is_refused(layout: Path, content: bytes) -> None:
    (layout / LAYOUT_FILE).write_bytes(content)
    with pytest.raises(FileSystemError, match=r"oci-layout|version"):
        tagged(layout)
    with LayoutRegistry(str(layout)) as registry, pytest.raises(FileSystemError):
        put_blob(registry, b"two")


def test_a_directory_of_other_files_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "my-notes.md").write_text("mine")
    with LayoutRegistry(str(tmp_path)) as registry:
        with pytest.raises(FileSystemError, match="not empty"):
            registry.manifest("v1")
        with pytest.raises(FileSystemError, match="not empty"):
            put_blob(registry, b"one")
    assert [path.name for path in tmp_path.iterdir()] == ["my-notes.md"]


def test_a_file_where_the_directory_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with LayoutRegistry(str(tmp_path / "file")) as registry:
        with pytest.raises(FileSystemError):
            registry.tags()
        with pytest.raises(FileSystemError):
            put_blob(registry, b"one")


def test_a_process_that_holds_the_index_for_ever_is_not_waited_for_for_ever(layout: Path) -> None:
    holding = (
        "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(layout / LAYOUT_FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with LayoutRegistry(str(layout), wait_s=0.1) as registry:
            with pytest.raises(FileSystemError, match="another process"):
                put_artifact(registry, b"two", tag="v2")
            assert registry.tags() == ("v1",)
        process.kill()


def test_what_is_asked_for_by_a_name_that_leads_out_is_not_found(layout: Path) -> None:
    with LayoutRegistry(str(layout)) as registry:
        for tag in ("../../etc/passwd", "/etc/passwd", "", "v1\0"):
            with pytest.raises(NotFound):
                registry.manifest(tag)
