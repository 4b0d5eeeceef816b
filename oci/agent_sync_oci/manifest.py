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
from agent_sync_oci.image_spec import EMPTY_CONFIG, IMAGE_INDEX, IMAGE_MANIFEST
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

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # what registries take (OCI distribution spec 1.1, "Pushing Manifests")
EMPTY_CONTENT = b"{}"
"""What `EMPTY` describes."""

_DOCKER = "application/vnd.docker."


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What content is and how to know it; `size` in bytes. What else one may say, such as `urls`, is not used."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    artifact_type: str | None = None

    def document(self) -> dict[str, object]:
        """It as JSON has it."""
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
    """What manifests and indexes share; two are equal if their bytes are."""

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
        """Media type, digest and size alone: an artifact type in an index makes some clients change its bytes."""
        return Descriptor(self.media_type, self.digest, len(self.content))


@dataclass(frozen=True, slots=True)
class Manifest(_Document):
    """One artifact: a config and layers. Made by `make` or `read_manifest`."""

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
        """The manifest that says this, and nothing else: no time of creation, so that it is the same on every day."""
        listed = {"config": config.document(), "layers": [layer.document() for layer in layers]}
        made = read_manifest(_encoded(IMAGE_MANIFEST, listed, artifact_type, subject, annotations), IMAGE_MANIFEST)
        assert isinstance(made, cls)
        return made

    @property
    def listed_type(self) -> str:
        """The artifact type under which a list of referrers has it (distribution spec 1.1, "Listing Referrers")."""
        return self.artifact_type or self.config.media_type


@dataclass(frozen=True, slots=True)
class Index(_Document):
    """Several manifests under one digest. Made by `make` or `read_manifest`."""

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
        """The index that says this, and nothing else."""
        listed = {"manifests": [manifest.document() for manifest in manifests]}
        made = read_manifest(_encoded(IMAGE_INDEX, listed, artifact_type, subject, annotations), IMAGE_INDEX)
        assert isinstance(made, cls)
        return made

    @property
    def listed_type(self) -> str | None:
        """The artifact type under which a list of referrers has it."""
        return self.artifact_type


def read_manifest(content: bytes, media_type: str | None, *, subject: str | None = None) -> Manifest | Index:
    """What these bytes say, which somebody (a Content-Type, a descriptor) has said are of `media_type`.

    `subject` names them in errors, if they have a better name than their digest.

    Raises:
        DigestMismatch: they are not what an honest program writes: no strict JSON, a manifest and an index at once,
            another media type than was said, a digest or size that is none.
        LimitExceeded: more than MAX_MANIFEST_BYTES, or nested too deep.
    """
    name = subject or f"manifest {Digest.of(content)}"
    if len(content) > MAX_MANIFEST_BYTES:
        raise LimitExceeded(
            subject=name, check=f"it has {len(content)} bytes, and at most {MAX_MANIFEST_BYTES} are read"
        )
    spelt = StrictObject(read_json(content, subject=name), name)
    if _is_index(spelt, media_type):
        return Index(
            content=content,
            artifact_type=spelt.media_type("artifactType"),
            subject=_subject(spelt),
            annotations=spelt.annotations(),
            manifests=_descriptors(spelt, "manifests"),
        )
    return Manifest(
        content=content,
        artifact_type=spelt.media_type("artifactType"),
        subject=_subject(spelt),
        annotations=spelt.annotations(),
        config=_descriptor(spelt, "config"),
        layers=_descriptors(spelt, "layers"),
    )


def read_descriptor(value: object, *, subject: str) -> Descriptor:
    """The descriptor that a value out of `read_json` spells; `subject` names it in errors. Raises DigestMismatch."""
    spelt = StrictObject(value, subject)
    return Descriptor(
        spelt.media_type("mediaType") or spelt.lies("it has no mediaType"),
        spelt.digest(),
        spelt.size(),
        spelt.annotations(),
        spelt.media_type("artifactType"),
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


def _descriptor(spelt: StrictObject, key: str) -> Descriptor:
    return read_descriptor(spelt.value.get(key), subject=f"{spelt.subject}, {key}")


def _descriptors(spelt: StrictObject, key: str) -> tuple[Descriptor, ...]:
    found = spelt.value[key]
    if found is None:  # how Go spells an empty list
        return ()
    if not isinstance(found, list):
        spelt.lies(f"its {key} are no list")
    return tuple(
        read_descriptor(each, subject=f"{spelt.subject}, {key} {number}") for number, each in enumerate(found, 1)
    )


def _subject(spelt: StrictObject) -> Descriptor | None:
    return None if spelt.value.get("subject") is None else _descriptor(spelt, "subject")


def _is_index(spelt: StrictObject, media_type: str | None) -> bool:
    """Whether it is an index, and not a manifest. Raises DigestMismatch for what is neither, or both."""
    version = spelt.value.get("schemaVersion")
    if type(version) is not int or version != 2:
        spelt.lies(f"its schemaVersion is {quoted(version)} instead of 2")
    keys = spelt.value.keys()
    as_manifest, as_index = keys & MANIFEST_KEYS, keys & INDEX_KEYS
    if as_manifest and as_index:
        spelt.lies("it is a manifest and an index at once")
    if keys & OTHER_KEYS:
        spelt.lies(f"it has the keys of another kind of manifest: {', '.join(sorted(keys & OTHER_KEYS))}")
    if not as_index and as_manifest != MANIFEST_KEYS:
        spelt.lies("it has neither a config and layers nor manifests")
    meant = IMAGE_INDEX if as_index else IMAGE_MANIFEST
    for who, said in ("it says itself", spelt.media_type("mediaType")), ("the place says", media_type):
        if said is not None and said.startswith(_DOCKER):
            spelt.lies(f"{who} that it is {quoted(said)}, which is no OCI artifact")
        if said is not None and said != meant:
            spelt.lies(f"it is shaped like {meant}, and {who} that it is {quoted(said)}")
    return bool(as_index)
