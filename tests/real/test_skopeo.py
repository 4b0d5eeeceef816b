"""skopeo reads our layouts and archives, and what it copies between places has the digest that we gave it."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import Index
from agent_sync_oci.registry.archive import ArchiveRegistry
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import Registry
from agent_sync_oci.transfer.copy import copy
from agent_sync_oci.transfer.referrers import attach, referrers
from tests.builders.artifacts import a_signature, blob_of, put_artifact, put_index
from tests.real.components import require
from tests.real.docker_registry import DockerRegistry

CONTENTS = (b"one", bytes(300_000), b"")


@pytest.fixture
def source() -> Iterator[MemoryRegistry]:
    """An index of three artifacts at the tag `v1`, signed."""
    with MemoryRegistry() as registry:
        index = put_index(registry, *(put_artifact(registry, content) for content in CONTENTS), tag="v1")
        attach(registry, a_signature(registry, index))
        yield registry


def skopeo(*words: str) -> bytes:
    # Its policy, its settings and its credentials are this test's, which has none.
    command = [str(require("skopeo")), "--insecure-policy", *words]
    answer = subprocess.run(command, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr.decode()
    return answer.stdout


def skopeo_copy(source: str, target: str) -> None:
    skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "--quiet", source, target)


def everything(registry: Registry, tag: str) -> tuple[Index, list[bytes]]:
    """The index at the tag, and the content of every artifact in it."""
    index = registry.manifest(tag)
    assert isinstance(index, Index)
    contents = []
    for child in index.manifests:
        manifest = registry.manifest(child.digest)
        assert not isinstance(manifest, Index)
        contents += [blob_of(registry, layer) for layer in manifest.layers]
    return index, contents


def test_skopeo_reads_our_layout_and_our_archive(source: MemoryRegistry, tmp_path: Path) -> None:
    index = source.manifest("v1")
    with LayoutRegistry(str(tmp_path / "layout")) as layout, ArchiveRegistry(str(tmp_path / "it.tar")) as archive:
        for target in (layout, archive):
            copy(source, target, index.digest, with_referrers=True, tag="v1")
            put_artifact(target, b"another", tag="src-another")
    for place in (f"oci:{tmp_path}/layout:v1", f"oci-archive:{tmp_path}/it.tar:v1"):
        assert skopeo("inspect", "--raw", place) == index.content
        skopeo("inspect", "--raw", place.replace("v1", "src-another"))


def test_a_digest_stays_from_place_to_place_whoever_copies(
    source: MemoryRegistry, docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    index = source.manifest("v1")
    with LayoutRegistry(str(tmp_path / "ours")) as ours:
        copy(source, ours, index.digest, with_referrers=True, tag="v1")
    route = [
        f"oci:{tmp_path}/ours:v1",
        f"docker://{docker_registry.host}/skopeo/agents:v1",
        f"oci:{tmp_path}/theirs:v1",
        f"oci-archive:{tmp_path}/theirs.tar:v1",
        f"oci:{tmp_path}/last:v1",
    ]
    for here, there in itertools.pairwise(route):
        skopeo_copy(here, there)
        assert Digest.of(skopeo("inspect", "--raw", "--tls-verify=false", there)) == index.digest
    for place in (
        LayoutRegistry(str(tmp_path / "theirs")),
        ArchiveRegistry(str(tmp_path / "theirs.tar")),
        LayoutRegistry(str(tmp_path / "last")),
    ):
        with place:
            assert everything(place, "v1") == (index, list(CONTENTS))
            assert place.tags() == ("v1",)


def test_what_we_add_to_a_layout_of_skopeos_leaves_its_part_as_it_was(source: MemoryRegistry, tmp_path: Path) -> None:
    index = source.manifest("v1")
    with LayoutRegistry(str(tmp_path / "ours")) as ours:
        copy(source, ours, index.digest, with_referrers=False, tag="v1")
    skopeo_copy(f"oci:{tmp_path}/ours:v1", f"oci:{tmp_path}/both:theirs")
    (theirs,) = json.loads((tmp_path / "both" / "index.json").read_bytes())["manifests"]
    with LayoutRegistry(str(tmp_path / "both")) as both:
        copy(source, both, index.digest, with_referrers=True)
        mine = put_artifact(both, b"mine", tag="ours")
    skopeo_copy(f"oci:{tmp_path}/ours:v1", f"oci:{tmp_path}/both:again")
    entries = json.loads((tmp_path / "both" / "index.json").read_bytes())["manifests"]
    assert {**theirs, "annotations": {**theirs["annotations"], "kind": "dev.cosignproject.cosign/image"}} in entries
    with LayoutRegistry(str(tmp_path / "both")) as both:
        assert both.tags() == ("again", "ours", "theirs")
        assert both.manifest("ours") == mine
        assert both.manifest("theirs") == both.manifest("again") == index
        assert len(referrers(both, index.digest, artifact_type=None)) == 1
