"""`index.json`, the list of what a layout holds under a tag or as a referrer (OCI image spec 1.1, image-layout.md).

An entry that another program wrote stays as it is, fields that are not understood included. The order is: what has a
tag, indexes first (cosign takes the first entry that is marked as signed), by tag; then the rest, by digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from agent_sync_oci.digest import EMPTY_INDEX, Digest
from agent_sync_oci.errors import DigestMismatch
from agent_sync_oci.manifest import IMAGE_INDEX, Descriptor, Index, Manifest, read_descriptor, read_manifest
from agent_sync_oci.reference import is_tag
from agent_sync_oci.strict_json import canonical_json, read_json
from agent_sync_oci.text import quoted

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation with which an entry has a tag."""

KIND = "kind"
COSIGN_IMAGE = "dev.cosignproject.cosign/image"
"""The annotation `kind` of the entry that cosign verifies in a layout."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its JSON, and what that describes."""

    document: Mapping[str, object] = field(repr=False)
    descriptor: Descriptor = field(compare=False)
    tag: str | None = field(compare=False)
    """The tag, if a registry would accept it; other programs write whole references there."""

    @classmethod
    def read(cls, document: object) -> Self:
        """Return the entry of this JSON. Raises DigestMismatch."""
        descriptor = read_descriptor(document, subject="entry of index.json")
        tag = descriptor.annotations.get(REF_NAME)
        assert isinstance(document, dict)
        return cls(document, descriptor, tag if tag is not None and is_tag(tag) else None)

    @property
    def digest(self) -> Digest:
        return self.descriptor.digest

    @property
    def is_signed(self) -> bool:
        return self.descriptor.annotations.get(KIND) == COSIGN_IMAGE

    @property
    def is_plain(self) -> bool:
        """Whether the entry has no name, so that an entry with a tag says all that this one says."""
        return REF_NAME not in self.descriptor.annotations

    def annotated(self, annotations: Mapping[str, str]) -> Entry:
        """Return the entry with these annotations beside its own."""
        return Entry.read({**self.document, "annotations": {**self.descriptor.annotations, **annotations}})


@dataclass(frozen=True, slots=True)
class LayoutIndex:
    """An `index.json`; each change makes another."""

    entries: tuple[Entry, ...]
    rest: Mapping[str, object] = field(repr=False)
    """The other fields of the file."""

    @classmethod
    def read(cls, content: bytes, *, subject: str) -> Self:
        """Return the index in these bytes. Raises DigestMismatch, LimitExceeded."""
        read_manifest(content, IMAGE_INDEX, subject=subject)
        rest = read_json(content, subject=subject)
        assert isinstance(rest, dict)
        return cls(tuple(Entry.read(document) for document in rest.pop("manifests") or ()), rest)

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        entries = [dict(entry.document) for entry in sorted(self.entries, key=_order)]
        return canonical_json({**self.rest, "mediaType": IMAGE_INDEX, "manifests": entries})

    def tags(self) -> tuple[str, ...]:
        """Every tag, sorted."""
        return tuple(sorted({entry.tag for entry in self.entries if entry.tag is not None}))

    def find(self, tag: str, *, subject: str) -> Descriptor | None:
        """Return what the tag names; None if nothing.

        Raises DigestMismatch, naming `subject`, if the tag names two things.
        """
        found = {entry.digest: entry.descriptor for entry in self.entries if entry.tag == tag}
        if len(found) > 1:
            raise DigestMismatch(subject=subject, check=f"the tag {quoted(tag)} names {len(found)} manifests")
        return next(iter(found.values()), None)

    def tagging(self, manifest: Manifest | Index, tag: str) -> LayoutIndex:
        """Return the index in which the tag names this manifest, and no other."""
        before = self._of(manifest.digest)
        signed = {KIND: COSIGN_IMAGE} if any(entry.is_signed for entry in before) else {}
        kept = [each for each in self.entries if each.tag != tag and not (each.is_plain and each in before)]
        return self._with(kept, _listed(manifest).annotated({**signed, REF_NAME: tag}))

    def listing(self, manifest: Manifest | Index) -> LayoutIndex:
        """Return the index that has this manifest, tagged or not."""
        return self if self._of(manifest.digest) else self._with(self.entries, _listed(manifest))

    def signing(self, signed: Descriptor) -> LayoutIndex:
        """Return the index that has what `signed` describes, marked as something that has signatures."""
        plain = Descriptor(signed.media_type, signed.digest, signed.size)
        before = self._of(signed.digest) or [Entry.read(plain.document())]
        others = [entry for entry in self.entries if entry.digest != signed.digest]
        return self._with(others, *(entry.annotated({KIND: COSIGN_IMAGE}) for entry in before))

    def _of(self, digest: Digest) -> list[Entry]:
        return [entry for entry in self.entries if entry.digest == digest]

    def _with(self, kept: Iterable[Entry], *added: Entry) -> LayoutIndex:
        return LayoutIndex((*kept, *added), self.rest)


NO_ENTRIES = LayoutIndex.read(EMPTY_INDEX, subject="an empty index")


def _listed(manifest: Manifest | Index) -> Entry:
    """Return the entry of this manifest.

    A referrer's has its artifact type, so that others need not open the manifest to know it.
    """
    plain = manifest.descriptor
    kind = manifest.listed_type if manifest.subject is not None else None
    return Entry.read(Descriptor(plain.media_type, plain.digest, plain.size, artifact_type=kind).document())


def _order(entry: Entry) -> tuple[bool, bool, str, str]:
    return entry.tag is None, entry.descriptor.media_type != IMAGE_INDEX, entry.tag or "", entry.digest
