"""Artifacts of registries as sources: what their layers come to, and what is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Mapping

import pytest
import zstandard

from agent_sync.errors import AgentSyncError, ConfigInvalid, DigestMismatch, LimitExceeded, NotFound, UnsafePath
from agent_sync.sources.oci import OciPin
from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, Descriptor, Index, Manifest
from agent_sync_oci.registry.memory import MemoryRegistry
from tests.builders.projects import MemoryProject, a_project
from tests.builders.trees import sha256

REPOSITORY = "registry.example.com/team/rules"
TAR = "application/vnd.oci.image.layer.v1.tar"
CONFIG = f"""\
version: 1
sources:
  - {{name: rules, type: oci, reference: "{REPOSITORY}:v1"}}
targets:
  - {{source: rules, tools: [cursor]}}
"""


def a_tar(files: Mapping[str, str], *, link: str | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        if link is not None:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return packed.getvalue()


class Publisher:
    """Puts artifacts into the registry of a project's world."""

    def __init__(self, project: MemoryProject) -> None:
        self.registry = project.registries.registries.setdefault(REPOSITORY, MemoryRegistry(REPOSITORY))

    def publish(self, *layers: tuple[str, bytes, str | None], tag: str = "v1") -> Digest:
        described = [self._layer(*layer) for layer in layers]
        manifest = Manifest.make(artifact_type="application/x-rules", config=EMPTY, layers=described)
        self.registry.put_manifest(manifest, tag=tag)
        return manifest.digest

    def _layer(self, media_type: str, content: bytes, title: str | None) -> Descriptor:
        digest = Digest.of(content)
        self.registry.blobs[digest] = content
        annotations = {} if title is None else {"org.opencontainers.image.title": title}
        return Descriptor(media_type, digest, len(content), annotations)


def refusal(project: MemoryProject) -> AgentSyncError:
    """Why the source could not be locked."""
    return project.project().update().failures["rules"]


@pytest.fixture
def project() -> MemoryProject:
    return a_project({"agent-sync.yaml": CONFIG})


@pytest.fixture
def publisher(project: MemoryProject) -> Publisher:
    return Publisher(project)


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


@pytest.mark.parametrize(
    "layer",
    [
        (TAR, a_tar({"sub/a.md": "a\n"}), None),
        (f"{TAR}+gzip", gzip.compress(a_tar({"sub/a.md": "a\n"})), None),
        (
            f"{TAR}+gzip",
            gzip.compress(a_tar({"sub/a.md": "a\n"})[:700]) + gzip.compress(a_tar({"sub/a.md": "a\n"})[700:]),
            None,
        ),
        (f"{TAR}+zstd", zstd(a_tar({"sub/a.md": "a\n"})), None),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip.compress(a_tar({"sub/a.md": "a\n"})), None),
        ("application/vnd.agent-sync.source.layer.v1.tar", a_tar({"source/sub/a.md": "a\n"}), None),
        ("text/markdown", b"a\n", "sub/a.md"),
    ],
    ids=["tar", "gzip", "two gzip members", "zstd", "docker", "ours", "a file with a title"],
)
def test_a_layer_of_any_kind_that_is_read_gives_its_files(
    project: MemoryProject, publisher: Publisher, layer: tuple[str, bytes, str | None]
) -> None:
    digest = publisher.publish(layer)
    project.project().update()
    project.project().sync()
    assert project.outputs == {".cursor/rules/sub/a.md": "a\n"}
    lock = project.project().lock_file.read()
    assert lock is not None
    assert isinstance(lock.sources[0].pin, OciPin)
    assert lock.sources[0].pin.digest == digest


def test_a_later_layer_lies_over_an_earlier_one(project: MemoryProject, publisher: Publisher) -> None:
    publisher.publish((TAR, a_tar({"a.md": "1\n", "b.md": "b\n"}), None), (TAR, a_tar({"a.md": "2\n"}), None))
    project.project().update()
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "2\n", ".cursor/rules/b.md": "b\n"}


def test_the_lock_pins_the_manifest_so_a_tag_that_moves_changes_nothing(
    project: MemoryProject, publisher: Publisher
) -> None:
    publisher.publish((TAR, a_tar({"a.md": "1\n"}), None))
    project.project().update()
    publisher.publish((TAR, a_tar({"a.md": "2\n"}), None))
    (moved,) = project.project().verify().changed
    assert moved.name == "rules"
    other = project.another_checkout()
    other.project().sync()
    assert other.outputs == {".cursor/rules/a.md": "1\n"}


def test_files_other_than_the_locked_ones_are_not_taken(project: MemoryProject, publisher: Publisher) -> None:
    publisher.publish((TAR, a_tar({"a.md": "1", "b.md": "2"}), None))
    project.project().update()
    other = project.another_checkout()
    other.put("agent-sync.lock", project.lock.replace(sha256("1"), sha256("forged")))
    with pytest.raises(DigestMismatch, match=r'does not hold the locked files: changed "a\.md"$'):
        other.project().sync()
    assert other.outputs == {}


def test_a_digest_in_the_configuration_counts_more_than_the_tag(project: MemoryProject, publisher: Publisher) -> None:
    first = publisher.publish((TAR, a_tar({"a.md": "1\n"}), None))
    publisher.publish((TAR, a_tar({"a.md": "2\n"}), None))
    project.put("agent-sync.yaml", CONFIG.replace(':v1"', f':v1", digest: "{first}"'))
    project.project().update()
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "1\n"}


def test_what_is_excluded_is_not_there(project: MemoryProject, publisher: Publisher) -> None:
    publisher.publish((TAR, a_tar({"a.md": "1\n", "b.png": "2\n"}), None))
    project.put("agent-sync.yaml", CONFIG.replace(':v1"', ':v1", exclude: ["*.png"]'))
    project.project().update()
    project.project().sync()
    assert project.outputs == {".cursor/rules/a.md": "1\n"}


@pytest.mark.parametrize(
    ("layer", "error", "says"),
    [
        ((TAR, a_tar({"../x": "x"}), None), AgentSyncError, ""),
        ((TAR, a_tar({"/etc/x": "x"}), None), AgentSyncError, ""),
        ((TAR, a_tar({".git/config": "x"}), None), UnsafePath, "git"),
        ((TAR, a_tar({"a": "x"}, link="/etc/passwd"), None), DigestMismatch, "link"),
        ((TAR, a_tar({".wh.a.md": ""}), None), DigestMismatch, "whiteout"),
        ((f"{TAR}+gzip", b"not gzip", None), DigestMismatch, "gzip"),
        ((f"{TAR}+gzip", gzip.compress(a_tar({"a": "x"}))[:60], None), DigestMismatch, ""),
        ((f"{TAR}+zstd", b"not zstd", None), DigestMismatch, "zstd"),
        (("application/x-unknown", b"bytes", None), DigestMismatch, "no tar"),
        (("text/plain", b"x", "../../x"), UnsafePath, ""),
        ((TAR, a_tar({"A.md": "1", "a.md": "2"}), None), UnsafePath, ""),
    ],
    ids=lambda each: None if isinstance(each, str) else "",
)
def test_what_is_not_plain_files_is_refused_and_nothing_is_locked(
    project: MemoryProject,
    publisher: Publisher,
    layer: tuple[str, bytes, str | None],
    error: type[AgentSyncError],
    says: str,
) -> None:
    publisher.publish(layer)
    refused = refusal(project)
    assert isinstance(refused, error)
    assert says in str(refused)
    assert "agent-sync.lock" not in project.files


def test_a_bomb_is_met_while_it_unfolds(project: MemoryProject, publisher: Publisher) -> None:
    project.put("agent-sync.yaml", CONFIG + "limits: {max_source_size: 1MB, max_file_size: 1MB}\n")
    publisher.publish((f"{TAR}+gzip", gzip.compress(a_tar({"a.md": "a" * 2_000_000})), None))
    assert isinstance(refusal(project), LimitExceeded)


def test_an_index_is_refused(project: MemoryProject, publisher: Publisher) -> None:
    publisher.publish((TAR, a_tar({"a.md": "1"}), None))
    index = Index.make(artifact_type=None, manifests=(publisher.registry.manifest("v1").descriptor,))
    publisher.registry.put_manifest(index, tag="v1")
    error = refusal(project)
    assert isinstance(error, DigestMismatch)
    assert "index" in str(error)


def test_an_empty_artifact_is_refused(project: MemoryProject, publisher: Publisher) -> None:
    publisher.publish((TAR, a_tar({}), None))
    error = refusal(project)
    assert isinstance(error, ConfigInvalid)
    assert "holds no file" in str(error)


def test_a_tag_that_is_not_there_is_told(project: MemoryProject) -> None:
    assert isinstance(refusal(project), NotFound)


@pytest.mark.parametrize("members", [40_000])
def test_many_small_gzip_members_take_no_longer_than_their_length(
    project: MemoryProject, publisher: Publisher, members: int
) -> None:
    """Once each member was taken from all that followed it: 4 MB took 11 s."""
    layer = gzip.compress(b"") * members + bytes(20_000) + gzip.compress(a_tar({"a.md": "a\n"}))
    publisher.publish((f"{TAR}+gzip", layer, None))
    began = time.process_time()
    project.project().update()
    assert time.process_time() - began < 2
    assert "a.md" in project.lock


def test_a_layer_that_says_it_is_huge_is_not_fetched(project: MemoryProject, publisher: Publisher) -> None:
    """However little is in it: empty members never reach a bound."""
    manifest = Manifest.make(
        artifact_type="application/x-rules",
        config=EMPTY,
        layers=[Descriptor(f"{TAR}+gzip", Digest.of(b"x"), 1 << 42)],
    )
    publisher.registry.put_manifest(manifest, tag="v1")
    assert isinstance(refusal(project), LimitExceeded)


@pytest.mark.parametrize("media_type", ["application/gzip", "application/zstd"])
def test_a_file_with_a_title_is_taken_as_it_is(project: MemoryProject, publisher: Publisher, media_type: str) -> None:
    packed = gzip.compress(b"a\n")[:-1]
    publisher.publish((media_type, packed, "a.md.gz"))
    project.project().update()
    assert Digest.of(packed).hex in project.lock
