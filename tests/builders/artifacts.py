"""OCI artifacts in any registry: blobs, manifests that name them, indexes of those."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from agent_sync_oci.digest import Digest
from agent_sync_oci.manifest import EMPTY, EMPTY_CONTENT, SIGSTORE_BUNDLE, Descriptor, Index, Manifest
from agent_sync_oci.registry.protocol import Registry

SOME_TYPE = "application/vnd.example.rules.v1"
SOME_LAYER = "application/vnd.example.rules.layer.v1"


def described(content: bytes, media_type: str = SOME_LAYER) -> Descriptor:
    """The descriptor of this blob."""
    return Descriptor(media_type, Digest.of(content), len(content))


def put_blob(registry: Registry, content: bytes, media_type: str = SOME_LAYER) -> Descriptor:
    """The blob is in the registry."""
    blob = described(content, media_type)
    registry.put_blob(blob, lambda: BytesIO(content))
    return blob


def blob_of(registry: Registry, blob: Descriptor) -> bytes:
    """What the registry hands out for it."""
    content = bytearray()
    registry.get_blob(blob, content.extend)
    return bytes(content)


def a_manifest(
    *layers: Descriptor,
    artifact_type: str = SOME_TYPE,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """A manifest of these layers that is nowhere yet."""
    return Manifest.make(
        artifact_type=artifact_type,
        config=EMPTY,
        layers=layers or (EMPTY,),
        subject=subject,
        annotations=annotations or {},
    )


def put_artifact(
    registry: Registry,
    *contents: bytes,
    tag: str | None = None,
    artifact_type: str = SOME_TYPE,
    subject: Descriptor | None = None,
) -> Manifest:
    """A manifest with one layer for each content is in the registry, with all that it names."""
    put_blob(registry, EMPTY_CONTENT, EMPTY.media_type)
    layers = [put_blob(registry, content) for content in contents]
    manifest = a_manifest(*layers, artifact_type=artifact_type, subject=subject)
    registry.put_manifest(manifest, tag=tag)
    return manifest


def put_index(registry: Registry, *children: Manifest | Index, tag: str | None = None, name: str = "example") -> Index:
    """An index of these is in the registry."""
    index = Index.make(
        artifact_type=SOME_TYPE,
        manifests=[child.descriptor for child in children],
        annotations={"org.example.name": name},
    )
    registry.put_manifest(index, tag=tag)
    return index


def a_signature(registry: Registry, subject: Manifest | Index, content: bytes = b'{"a": "signature"}') -> Manifest:
    """A manifest that says it is a signature of `subject`; its blobs are in the registry, it is not yet."""
    put_blob(registry, EMPTY_CONTENT, EMPTY.media_type)
    layer = put_blob(registry, content, SIGSTORE_BUNDLE)
    return a_manifest(layer, artifact_type=SIGSTORE_BUNDLE, subject=subject.descriptor)
