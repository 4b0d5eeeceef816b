"""Manifests and indexes with their exact bytes (OCI image spec 1.1, manifest.md and image-index.md).

Strict, because two programs that read one text as two things can be played off against each other: text that could be
taken for a manifest and for an index is neither (CVE-2021-41190).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, NoReturn, Self

from agent_sync_oci.canonical import canonical_json, read_json
from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, TooMuch, shown
from agent_sync_oci.media_types import EMPTY_CONFIG, IMAGE_INDEX, IMAGE_MANIFEST

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # what registries take (OCI distribution spec 1.1, "Pushing Manifests")
EMPTY_CONTENT = b"{}"
"""What `EMPTY` describes."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_LARGEST = 2**63 - 1  # sizes are signed 64-bit integers in most clients
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")  # RFC 6838 §4.2

_DOCKER = "application/vnd.docker."
_MANIFEST_KEYS = frozenset({"config", "layers"})
_INDEX_KEYS = frozenset({"manifests"})
_OTHER_KEYS = frozenset({"fsLayers", "history", "signatures"})  # Docker's schema 1, which is neither
_KNOWN = _MANIFEST_KEYS | _INDEX_KEYS | _OTHER_KEYS
_KNOWN |= {"annotations", "artifactType", "digest", "mediaType", "schemaVersion", "size", "subject"}
_FOLDED = {key.casefold(): key for key in _KNOWN}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What content is and how to know it; `size` in bytes. What else one may say, such as `urls`, is not used."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
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
class _Described:
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
class Manifest(_Described):
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
        annotations: Mapping[str, str] = _NOTHING,
    ) -> Self:
        """The manifest that says this, and nothing else: no time of creation, so that it is the same on every day."""
        listed = {"config": config.document(), "layers": [layer.document() for layer in layers]}
        made = read_manifest(_spelt(IMAGE_MANIFEST, listed, artifact_type, subject, annotations), IMAGE_MANIFEST)
        assert isinstance(made, cls)
        return made

    @property
    def listed_type(self) -> str:
        """The artifact type under which a list of referrers has it (distribution spec 1.1, "Listing Referrers")."""
        return self.artifact_type or self.config.media_type


@dataclass(frozen=True, slots=True)
class Index(_Described):
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
        annotations: Mapping[str, str] = _NOTHING,
    ) -> Self:
        """The index that says this, and nothing else."""
        listed = {"manifests": [manifest.document() for manifest in manifests]}
        made = read_manifest(_spelt(IMAGE_INDEX, listed, artifact_type, subject, annotations), IMAGE_INDEX)
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
        ContentLies: they are not what an honest program writes: no strict JSON, a manifest and an index at once,
            another media type than was said, a digest or size that is none.
        TooMuch: more than MAX_MANIFEST_BYTES, or nested too deep.
    """
    return _Reading(content, media_type, subject or f"manifest {Digest.of(content)}").manifest()


def read_descriptor(value: object, *, subject: str) -> Descriptor:
    """The descriptor that a value out of `read_json` spells; `subject` names it in errors. Raises ContentLies."""
    spelt = _Object(value, subject)
    return Descriptor(
        spelt.media_type("mediaType") or spelt.lies("it has no mediaType"),
        spelt.digest(),
        spelt.size(),
        spelt.annotations(),
        spelt.media_type("artifactType"),
    )


def _spelt(
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


class _Object:
    """An object of the JSON, whose fields come out checked."""

    def __init__(self, value: object, subject: str) -> None:
        self.subject = subject
        if not isinstance(value, dict):
            self.lies("it is no JSON object")
        self.value: dict[str, object] = value
        for key in value:
            # Clients in Go take `Manifests` for `manifests`, so that one of them would see what we do not.
            if key not in _KNOWN and (meant := _FOLDED.get(key.casefold())):
                self.lies(f"it has the key {shown(key)}, which some programs take for {meant!r}")

    def lies(self, check: str) -> NoReturn:
        raise ContentLies(
            subject=self.subject, check=check, remedy="do not use it: ask whoever published it, or fetch it elsewhere"
        )

    def media_type(self, key: str) -> str | None:
        text = self.value.get(key)
        if text in (None, ""):  # clients in Go write an empty text for none
            return None
        if not isinstance(text, str) or _MEDIA_TYPE.fullmatch(text) is None:
            self.lies(f"its {key} {shown(text)} is no media type")
        return text

    def digest(self) -> Digest:
        text = self.value.get("digest")
        try:
            return Digest.parse(text if isinstance(text, str) else "")
        except ValueError:
            self.lies(f"its digest {shown(text)} is not sha256: and 64 digits in lower case")

    def size(self) -> int:
        size = self.value.get("size")
        if type(size) is not int or not 0 <= size <= _LARGEST:
            self.lies(f"its size {shown(size)} is no number of bytes")
        return size

    def annotations(self) -> Mapping[str, str]:
        found = self.value.get("annotations")
        if found is None:
            return _NOTHING
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            self.lies("its annotations are no map from text to text")
        return MappingProxyType(found)

    def descriptor(self, key: str) -> Descriptor:
        return read_descriptor(self.value.get(key), subject=f"{self.subject}, {key}")

    def descriptors(self, key: str) -> tuple[Descriptor, ...]:
        found = self.value[key]
        if found is None:  # how Go spells an empty list
            return ()
        if not isinstance(found, list):
            self.lies(f"its {key} are no list")
        return tuple(
            read_descriptor(each, subject=f"{self.subject}, {key} {number}") for number, each in enumerate(found, 1)
        )


class _Reading:
    """The way from bytes to a manifest or an index."""

    def __init__(self, content: bytes, media_type: str | None, subject: str) -> None:
        if len(content) > MAX_MANIFEST_BYTES:
            raise TooMuch(
                subject=subject, check=f"it has {len(content)} bytes, and at most {MAX_MANIFEST_BYTES} are read"
            )
        self._content = content
        self._object = _Object(read_json(content, subject=subject), subject)
        self._said = media_type

    def manifest(self) -> Manifest | Index:
        version = self._object.value.get("schemaVersion")
        if type(version) is not int or version != 2:
            self._object.lies(f"its schemaVersion is {shown(version)} instead of 2")
        return self._index() if self._is_index() else self._image()

    def _is_index(self) -> bool:
        keys = self._object.value.keys()
        as_manifest, as_index = keys & _MANIFEST_KEYS, keys & _INDEX_KEYS
        if as_manifest and as_index:
            self._object.lies("it is a manifest and an index at once")
        if keys & _OTHER_KEYS:
            self._object.lies(f"it has the keys of another kind of manifest: {', '.join(sorted(keys & _OTHER_KEYS))}")
        if not as_index and as_manifest != _MANIFEST_KEYS:
            self._object.lies("it has neither a config and layers nor manifests")
        meant = IMAGE_INDEX if as_index else IMAGE_MANIFEST
        for who, said in ("it says itself", self._object.media_type("mediaType")), ("the place says", self._said):
            if said is not None and said.startswith(_DOCKER):
                self._object.lies(f"{who} that it is {shown(said)}, which is no OCI artifact")
            if said is not None and said != meant:
                self._object.lies(f"it is shaped like {meant}, and {who} that it is {shown(said)}")
        return bool(as_index)

    def _image(self) -> Manifest:
        return Manifest(
            content=self._content,
            artifact_type=self._object.media_type("artifactType"),
            subject=self._subject(),
            annotations=self._object.annotations(),
            config=self._object.descriptor("config"),
            layers=self._object.descriptors("layers"),
        )

    def _index(self) -> Index:
        return Index(
            content=self._content,
            artifact_type=self._object.media_type("artifactType"),
            subject=self._subject(),
            annotations=self._object.annotations(),
            manifests=self._object.descriptors("manifests"),
        )

    def _subject(self) -> Descriptor | None:
        return None if self._object.value.get("subject") is None else self._object.descriptor("subject")
