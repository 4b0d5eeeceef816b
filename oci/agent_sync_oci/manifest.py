"""Manifests and indexes with their exact bytes (OCI image spec 1.1, manifest.md and image-index.md).

Strict, because two programs that read one text as two things can be played off against each other: text that could be
taken for a manifest and for an index is neither (CVE-2021-41190).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import LimitExceeded
from agent_sync_oci.strict_json import (
    INDEX_KEYS,
    MANIFEST_KEYS,
    NOTHING,
    OTHER_KEYS,
    StrictObject,
    canonical_json,
    read_json,
)
from agent_sync_oci.text import quoted

IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # what registries accept (OCI distribution spec 1.1, "Pushing Manifests")
EMPTY_CONTENT = b"{}"
"""The content that `EMPTY` describes."""

_DOCKER = "application/vnd.docker."


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What some content is, and how to recognize it; `size` in bytes. Other fields, such as `urls`, are not used."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    artifact_type: str | None = None

    def document(self) -> dict[str, object]:
        """Return the descriptor as JSON has it."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
            **({"artifactType": self.artifact_type} if self.artifact_type is not None else {}),
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
        }


EMPTY = Descriptor(EMPTY_CONFIG, Digest.of(EMPTY_CONTENT), len(EMPTY_CONTENT))


@dataclass(frozen=True, slots=True)
class _Document:
    """What manifests and indexes have in common; two are equal if their bytes are."""

    content: bytes = field(repr=False)
    artifact_type: str | None = field(compare=False)
    subject: Descriptor | None = field(compare=False)
    annotations: Mapping[str, str] = field(compare=False)
    digest: Digest = field(init=False, compare=False)

    media_type: ClassVar[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", Digest.of(self.content))

    @property
    def descriptor(self) -> Descriptor:
        """Media type, digest and size, and no artifact type: in an index, one makes some clients change its bytes."""
        return Descriptor(self.media_type, self.digest, len(self.content))


@dataclass(frozen=True, slots=True)
class Manifest(_Document):
    """One artifact: a config and layers. Created by `make` or `read_manifest`."""

    config: Descriptor = field(compare=False)
    layers: tuple[Descriptor, ...] = field(compare=False)

    media_type: ClassVar[str] = IMAGE_MANIFEST

    @classmethod
    def make(
        cls,
        *,
        artifact_type: str | None,
        config: Descriptor,
        layers: Iterable[Descriptor],
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] = NOTHING,
    ) -> Self:
        """Return the manifest of these, and nothing else: no time of creation, so that its digest is reproducible."""
        listed = {"config": config.document(), "layers": [layer.document() for layer in layers]}
        made = read_manifest(_encoded(IMAGE_MANIFEST, listed, artifact_type, subject, annotations), IMAGE_MANIFEST)
        assert isinstance(made, cls)
        return made

    @property
    def listed_type(self) -> str:
        """The artifact type in a list of referrers (distribution spec 1.1, "Listing Referrers")."""
        return self.artifact_type or self.config.media_type


@dataclass(frozen=True, slots=True)
class Index(_Document):
    """Several manifests under one digest. Created by `make` or `read_manifest`."""

    manifests: tuple[Descriptor, ...] = field(compare=False)

    media_type: ClassVar[str] = IMAGE_INDEX

    @classmethod
    def make(
        cls,
        *,
        artifact_type: str | None,
        manifests: Iterable[Descriptor],
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] = NOTHING,
    ) -> Self:
        """Return the index of these, and nothing else."""
        listed = {"manifests": [manifest.document() for manifest in manifests]}
        made = read_manifest(_encoded(IMAGE_INDEX, listed, artifact_type, subject, annotations), IMAGE_INDEX)
        assert isinstance(made, cls)
        return made

    @property
    def listed_type(self) -> str | None:
        """The artifact type in a list of referrers."""
        return self.artifact_type


def read_manifest(content: bytes, media_type: str | None, *, subject: str | None = None) -> Manifest | Index:
    """Return the manifest or index in these bytes, which a Content-Type or a descriptor has called `media_type`.

    `subject` names them in errors, if they have a better name than their digest.

    Raises:
        DigestMismatch: they are not what an honest program writes: no strict JSON, a manifest and an index at once,
            another media type than was said, a digest or size that is none.
        LimitExceeded: more than MAX_MANIFEST_BYTES, or nested too deep.
    """
    name = subject or f"manifest {Digest.of(content)}"
    if len(content) > MAX_MANIFEST_BYTES:
        raise LimitExceeded(subject=name, check=f"{len(content)} bytes, and at most {MAX_MANIFEST_BYTES} are read")
    document = StrictObject(read_json(content, subject=name), name)
    if _is_index(document, media_type):
        return Index(
            content=content,
            artifact_type=document.media_type("artifactType"),
            subject=_subject(document),
            annotations=document.annotations(),
            manifests=_descriptors(document, "manifests"),
        )
    return Manifest(
        content=content,
        artifact_type=document.media_type("artifactType"),
        subject=_subject(document),
        annotations=document.annotations(),
        config=_descriptor(document, "config"),
        layers=_descriptors(document, "layers"),
    )


def read_descriptor(value: object, *, subject: str) -> Descriptor:
    """Return the descriptor in a value of `read_json`; `subject` names it in errors. Raises DigestMismatch."""
    document = StrictObject(value, subject)
    return Descriptor(
        document.media_type("mediaType") or document.reject("mediaType is missing"),
        document.digest(),
        document.size(),
        document.annotations(),
        document.media_type("artifactType"),
    )


def _encoded(
    media_type: str,
    listed: Mapping[str, object],
    artifact_type: str | None,
    subject: Descriptor | None,
    annotations: Mapping[str, str],
) -> bytes:
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type, **listed}
    if artifact_type is not None:
        document["artifactType"] = artifact_type
    if subject is not None:
        document["subject"] = subject.document()
    if annotations:
        document["annotations"] = dict(annotations)
    return canonical_json(document)


def _descriptor(document: StrictObject, key: str) -> Descriptor:
    return read_descriptor(document.value.get(key), subject=f"{document.subject}, {key}")


def _descriptors(document: StrictObject, key: str) -> tuple[Descriptor, ...]:
    found = document.value[key]
    if found is None:  # Go writes an empty list as `null`
        return ()
    if not isinstance(found, list):
        document.reject(f"{key} is not a list")
    return tuple(
        read_descriptor(each, subject=f"{document.subject}, {key} {number}") for number, each in enumerate(found, 1)
    )


def _subject(document: StrictObject) -> Descriptor | None:
    return None if document.value.get("subject") is None else _descriptor(document, "subject")


def _is_index(document: StrictObject, media_type: str | None) -> bool:
    """Return whether this is an index, and not a manifest. Raises DigestMismatch for what is neither, or both."""
    version = document.value.get("schemaVersion")
    if type(version) is not int or version != 2:  # not isinstance: True is an int, too
        document.reject(f"schemaVersion is {quoted(version)} instead of 2")
    keys = document.value.keys()
    as_manifest, as_index = keys & MANIFEST_KEYS, keys & INDEX_KEYS
    # A client that goes by the media type and one that goes by the keys would read two things (CVE-2021-41190).
    if as_manifest and as_index:
        document.reject("a manifest and an index at once")
    if keys & OTHER_KEYS:
        document.reject(f"keys of another kind of manifest: {', '.join(sorted(keys & OTHER_KEYS))}")
    if not as_index and as_manifest != MANIFEST_KEYS:
        document.reject("neither a config with layers nor manifests")
    meant = IMAGE_INDEX if as_index else IMAGE_MANIFEST
    for who, said in ("its mediaType", document.media_type("mediaType")), ("the registry", media_type):
        # Docker's manifests have the same shape, so only their media type tells them apart.
        if said is not None and said.startswith(_DOCKER):
            document.reject(f"{quoted(said)}, according to {who}, is not an OCI artifact")
        if said is not None and said != meant:
            document.reject(f"shaped like {meant}, but {quoted(said)} according to {who}")
    return bool(as_index)
