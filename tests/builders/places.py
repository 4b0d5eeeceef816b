"""Every kind of place that artifacts can lie in, for tests that hold for all of them.

A new kind is a new line in `PLACES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_sync_oci.digest import Digest, blob_path
from agent_sync_oci.manifest import Manifest
from agent_sync_oci.registry.archive import ArchiveFile, ArchiveRegistry
from agent_sync_oci.registry.layout import LayoutRegistry
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import Registry
from tests.builders.remote_places import (
    MakeRemote,
    docker_registry,
    docker_registry_with_password,
    docker_registry_with_tls,
    docker_registry_with_tokens,
    go_registry,
    registry_double,
)


@dataclass(frozen=True, slots=True)
class SomePlace:
    """A place that holds nothing at first.

    `open` may be called any number of times; each registry is to be closed. `damage` gives a blob or manifest other
    bytes, as many as before, behind the place's back. One that does not list referrers needs the fallback tag.
    """

    open: Callable[[], Registry]
    damage: Callable[[Digest, bytes], object]
    lists_referrers: bool = True


MakePlace = Callable[[Path], AbstractContextManager[SomePlace]]


@contextmanager
def _in_memory(_: Path) -> Iterator[SomePlace]:
    yield _memory(MemoryRegistry())


@contextmanager
def _in_memory_without_referrers(_: Path) -> Iterator[SomePlace]:
    yield _memory(MemoryRegistry(lists_referrers=False))


@contextmanager
def _in_a_layout(directory: Path) -> Iterator[SomePlace]:
    layout = directory / "layout"
    yield SomePlace(
        lambda: LayoutRegistry(str(layout)),
        lambda digest, content: (layout / blob_path(digest)).write_bytes(content),
    )


@contextmanager
def _in_an_archive(directory: Path) -> Iterator[SomePlace]:
    file = directory / "archive.tar"
    yield SomePlace(lambda: ArchiveRegistry(str(file)), lambda digest, content: overwrite(file, digest, content))


def _remote(make: MakeRemote, *, lists_referrers: bool = False) -> MakePlace:
    @contextmanager
    def place(directory: Path) -> Iterator[SomePlace]:
        with make(directory) as (opened, damage):
            yield SomePlace(opened, damage, lists_referrers=lists_referrers)

    return place


PLACES: dict[str, MakePlace] = {
    "memory": _in_memory,
    "memory without referrers": _in_memory_without_referrers,
    "layout": _in_a_layout,
    "archive": _in_an_archive,
    "docker-registry": _remote(docker_registry),
    "docker-registry, password": _remote(docker_registry_with_password),
    "docker-registry, tokens": _remote(docker_registry_with_tokens),
    "docker-registry, TLS": _remote(docker_registry_with_tls),
    "registry with referrers": _remote(go_registry, lists_referrers=True),
    "registry double": _remote(registry_double, lists_referrers=True),
}


def overwrite(file: Path, digest: Digest, content: bytes) -> None:
    """A blob in an archive has other bytes, as many as before."""
    archive = ArchiveFile.open(str(file), label=str(file))
    assert archive is not None
    span = archive.blobs[digest]
    archive.close()
    assert len(content) == span.size
    with file.open("r+b") as opened:
        opened.seek(span.offset)
        opened.write(content)


def _memory(registry: MemoryRegistry) -> SomePlace:
    def damage(digest: Digest, content: bytes) -> None:
        if digest in registry.blobs:
            registry.blobs[digest] = content
        if digest in registry.manifests:
            kept = registry.manifests[digest]
            assert isinstance(kept, Manifest)
            changed = Manifest(content, kept.artifact_type, kept.subject, kept.annotations, kept.config, kept.layers)
            registry.manifests[digest] = changed

    return SomePlace(lambda: registry, damage, lists_referrers=registry.lists_referrers)
