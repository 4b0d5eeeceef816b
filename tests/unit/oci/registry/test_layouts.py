"""Layout directories: what is in them, who may write at once, and what a killed process leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from agent_sync_oci.digest import BLOBS_DIRECTORY, EMPTY_INDEX, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, Digest
from agent_sync_oci.errors import FileSystemError
from agent_sync_oci.registry.image_layout import COSIGN_IMAGE, KIND, REF_NAME
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.transfer.referrers import attach
from tests.architecture.tree import ROOT
from tests.builders.artifacts import a_manifest, a_signature, blob_of, described, put_artifact, put_blob, put_index

TAGGING = """
import sys
from agent_sync_oci.registry.layout import LayoutRegistry
from tests.builders.artifacts import put_artifact
for number in range(20):
    with LayoutRegistry(sys.argv[1]) as registry:
        put_artifact(registry, sys.argv[2].encode(), tag=f"{sys.argv[2]}-{number}")
"""
WRITING = """
import sys, time
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.layout import LayoutRegistry
class Slow:
    def read(self, size):
        print(flush=True)
        time.sleep(60)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
LayoutRegistry(sys.argv[1]).put_blob(Descriptor("a/b", Digest.of(b"one"), 3), Slow)
"""


@contextmanager
def running(program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, which is gone after the block."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "oci")))
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a" / "layout"


@pytest.fixture
def registry(directory: Path) -> Iterator[LayoutRegistry]:
    with LayoutRegistry(str(directory)) as opened:
        yield opened


def entries(directory: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((directory / INDEX_FILE).read_bytes())["manifests"]
    return found


def test_a_layout_holds_what_the_specification_names_and_nothing_else(
    registry: LayoutRegistry, directory: Path
) -> None:
    manifest = put_artifact(registry, b"one", tag="v1")
    assert sorted(path.name for path in directory.iterdir()) == ["blobs", INDEX_FILE, LAYOUT_FILE]
    assert (directory / LAYOUT_FILE).read_bytes() == LAYOUT_CONTENT
    assert {path.name for path in (directory / BLOBS_DIRECTORY).iterdir()} == {
        manifest.digest.hex, manifest.config.digest.hex, manifest.layers[0].digest.hex,
    }  # fmt: skip
    assert entries(directory) == [{**manifest.descriptor.document(), "annotations": {REF_NAME: "v1"}}]


def test_reading_makes_nothing(registry: LayoutRegistry, directory: Path) -> None:
    assert registry.tags() == ()
    assert registry.blob_size(Digest.of(b"one")) is None
    assert not directory.parent.exists()


def test_a_layout_with_blobs_alone_is_one_that_others_can_read(registry: LayoutRegistry, directory: Path) -> None:
    put_blob(registry, b"one")
    assert (directory / INDEX_FILE).read_bytes() == EMPTY_INDEX


def test_the_same_artifacts_make_the_same_index_in_whatever_order(tmp_path: Path) -> None:
    contents = {}
    for order in ([0, 1, 2], [2, 1, 0]):
        with LayoutRegistry(str(tmp_path / str(order))) as registry:
            for number in order:
                put_artifact(registry, b"%d" % number, tag=f"v{number}")
        contents[(tmp_path / str(order) / INDEX_FILE).read_bytes()] = order
    assert len(contents) == 1


def test_what_another_program_wrote_into_the_index_stays(registry: LayoutRegistry, directory: Path) -> None:
    theirs = put_artifact(registry, b"theirs")
    entry = {
        **theirs.descriptor.document(),
        "platform": {"os": "linux", "architecture": "amd64"},
        "annotations": {REF_NAME: "docker.io/library/theirs:latest", "theirs": "yes"},
        "x": [1.5, None],
    }
    index = {"schemaVersion": 2, "manifests": [entry], "annotations": {"whose": "theirs"}}
    (directory / INDEX_FILE).write_text(json.dumps(index))
    put_artifact(registry, b"ours", tag="v1")
    assert registry.tags() == ("v1",)
    assert entry in entries(directory)
    assert json.loads((directory / INDEX_FILE).read_bytes())["annotations"] == {"whose": "theirs"}


def test_a_signed_index_is_marked_for_cosign_and_comes_first(registry: LayoutRegistry, directory: Path) -> None:
    child = put_artifact(registry, b"one", tag="a-child")
    index = put_index(registry, child)
    for signed in (child, index):
        attach(registry, a_signature(registry, signed))
    registry.put_manifest(index, tag="v1")
    first, second, *signatures = entries(directory)
    assert (first["digest"], first["annotations"]) == (index.digest, {REF_NAME: "v1", KIND: COSIGN_IMAGE})
    assert (second["digest"], second["annotations"]) == (child.digest, {REF_NAME: "a-child", KIND: COSIGN_IMAGE})
    assert len(signatures) == 2
    assert all("annotations" not in each for each in signatures)


def test_what_has_no_signature_is_not_marked(registry: LayoutRegistry, directory: Path) -> None:
    subject = put_artifact(registry, b"one", tag="v1")
    attach(registry, a_manifest(described(b""), subject=subject.descriptor))
    assert KIND not in str(entries(directory)[0])


def test_no_process_loses_what_another_one_tags(directory: Path) -> None:
    names = ["a", "b", "c"]
    with ExitStack() as stack:
        processes = [stack.enter_context(running(TAGGING, str(directory), name)) for name in names]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
    with LayoutRegistry(str(directory)) as registry:
        assert registry.tags() == tuple(sorted(f"{name}-{number}" for name in names for number in range(20)))
        assert {blob_of(registry, described(name.encode())) for name in names} == {b"a", b"b", b"c"}


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(directory: Path) -> None:
    with running(WRITING, str(directory)) as killed, running(WRITING, str(directory)) as living:
        for process in (killed, living):
            assert process.stdout is not None
            process.stdout.readline()
        killed.kill()
        killed.wait()
        assert len(list((directory / BLOBS_DIRECTORY).iterdir())) == 2
        with LayoutRegistry(str(directory)) as registry:
            put_blob(registry, b"one")
        left = [path.name for path in (directory / BLOBS_DIRECTORY).iterdir() if path.name != Digest.of(b"one").hex]
        assert len(left) == 1


def test_a_place_that_cannot_be_written_says_so(directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("a file")
    with LayoutRegistry(str(directory)) as registry, pytest.raises(FileSystemError, match="cannot"):
        registry.put_blob(described(b"one"), lambda: BytesIO(b"one"))


def test_what_another_program_writes_into_the_index_in_place_is_seen(registry: LayoutRegistry, directory: Path) -> None:
    """skopeo does not rename: it writes over the file."""
    manifest = put_artifact(registry, b"one", tag="v1")
    assert registry.tags() == ("v1",)
    for tag in ("v2", "v3"):
        entry = {**manifest.descriptor.document(), "annotations": {REF_NAME: tag}}
        (directory / INDEX_FILE).write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        os.utime(directory / INDEX_FILE, ns=(0, int(tag[1:])))
        assert registry.tags() == (tag,)
    registry.put_manifest(manifest, tag="v4")
    assert registry.tags() == ("v3", "v4")
    (directory / INDEX_FILE).unlink()
    assert registry.tags() == ()


def test_a_registry_holds_no_file_when_it_is_closed(directory: Path) -> None:
    with LayoutRegistry(str(directory)) as registry:
        put_artifact(registry, b"one", tag="v1")  # whatever is kept for good is there now
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        with LayoutRegistry(str(directory)) as registry:
            subject = put_artifact(registry, b"%d" % number, tag="v1")
            attach(registry, a_signature(registry, subject))
            assert registry.manifest("v1") == subject
            assert len(registry.referrers(subject.digest)) == 1
    assert len(os.listdir("/proc/self/fd")) == before
