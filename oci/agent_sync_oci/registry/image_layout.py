"""An image layout, be it a directory or one tar file: its index, and the seven calls of `Registry` on it.

Source: OCI image spec 1.1, image-layout.md."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from types import TracebackType
from typing import BinaryIO, Self

from agent_sync_oci.digest import EMPTY_INDEX, Digest
from agent_sync_oci.errors import DigestMismatch, FileSystemError, LimitExceeded, NotFound
from agent_sync_oci.manifest import (
    IMAGE_INDEX,
    MAX_MANIFEST_BYTES,
    SIGSTORE_BUNDLE,
    Descriptor,
    Index,
    Manifest,
    read_descriptor,
    read_manifest,
)
from agent_sync_oci.reference import is_tag
from agent_sync_oci.registry.files import chunks_of_file, file_errors, read_from
from agent_sync_oci.registry.protocol import MAX_REFERRERS, OpenBody, Write, copy_verified
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
    """An `index.json`, which lists what a layout has under a tag or as a referrer; each change makes another.

    An entry that another program wrote stays as it is, fields that are not understood included. In the file, what has a
    tag comes first, indexes before manifests (cosign takes the first entry that is marked as signed), by tag; then the
    rest, by digest.
    """

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
        """Return every tag, sorted."""
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


# -- the seven calls -------------------------------------------------------------------------------------------------

_MAX_LAYOUT_FILE_BYTES = 4096
_MAX_LISTED_BYTES = 64 * 1024 * 1024
"""Of all manifests that an index lists, which are opened to find the referrers among them."""


class ImageLayout(ABC):
    """Implements `Registry` on what a subclass can do with bytes. Any thread may call."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[Digest, _Listed] = {}  # never invalid: what has a digest does not change
        self._by_subject: tuple[LayoutIndex, dict[Digest, list[Descriptor]]] | None = None

    # -- what a subclass does

    @abstractmethod
    def blob_size(self, digest: Digest) -> int | None:
        """Return the size of the blob; None if the layout does not have it."""

    @abstractmethod
    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        """Store the blob, verified against its descriptor."""

    @abstractmethod
    def close(self) -> None:
        """Release what the layout holds open."""

    @abstractmethod
    def _abandon(self) -> None:
        """Release everything, and remove what was not finished."""

    @abstractmethod
    def _open(self, digest: Digest) -> BinaryIO | None:
        """Open the blob, not verified; None if the blob is not here."""

    @abstractmethod
    def _index(self) -> LayoutIndex:
        """Return the index as it is now."""

    @abstractmethod
    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Replace the index by what `change` makes of it, while no other process can change it."""

    @abstractmethod
    def _missing(self) -> str | None:
        """Return what is missing where the layout should be, in words; None if something is there."""

    # -- the seven calls

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        if isinstance(wanted, Digest):
            return self._manifest(wanted, None)
        found = self._index().find(wanted, subject=self.name)
        if found is None:
            if (missing := self._missing()) is not None:
                raise NotFound(subject=self.name, check=missing, remedy="correct the path")
            raise NotFound(subject=f"tag {quoted(wanted)} in {self.name}", check="not found")
        return self._manifest(found.digest, found)

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        self.put_blob(manifest.descriptor, lambda: BytesIO(manifest.content))
        subject = manifest.subject
        signs = subject is not None and manifest.listed_type == SIGSTORE_BUNDLE

        def change(index: LayoutIndex) -> LayoutIndex:
            if tag is not None:
                index = index.tagging(manifest, tag)
            if subject is None:
                return index
            index = index.listing(manifest)
            return index.signing(subject) if signs and self.blob_size(subject.digest) is not None else index

        if tag is not None or subject is not None:
            self._change_index(change)
        return True

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        file = self._open(blob.digest)
        if file is None:
            raise NotFound(subject=f"blob {blob.digest} in {self.name}", check="not found")
        with read_from(file):
            copy_verified(chunks_of_file(file, label=self.name), blob, write, label=self.name)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        # An index is one object for as long as the file stays as it is, so identity is enough to trust the memo.
        index, before = self._index(), self._by_subject
        by_subject = before[1] if before is not None and before[0] is index else self._referring(index)
        self._by_subject = index, by_subject
        found = by_subject.get(subject, ())
        if len(found) > MAX_REFERRERS:
            raise LimitExceeded(
                subject=f"referrers of {subject} in {self.name}", check=f"more than {MAX_REFERRERS} are listed"
            )
        return tuple(found)

    def tags(self) -> tuple[str, ...]:
        return self._index().tags()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    # -- reading

    def _manifest(self, digest: Digest, said: Descriptor | None) -> Manifest | Index:
        subject = f"manifest {digest} in {self.name}"
        file = self._open(digest)
        if file is None:
            raise NotFound(subject=subject, check="not found")
        with read_from(file), file_errors(self.name, "read a manifest"):
            content = file.read(MAX_MANIFEST_BYTES + 1)
        # Before the text is parsed: what does not have its digest may come from anybody.
        if len(content) <= MAX_MANIFEST_BYTES and Digest.of(content) != digest:
            raise DigestMismatch(subject=subject, check=f"the content has the digest {Digest.of(content)}")
        if said is not None and said.size != len(content):
            raise DigestMismatch(subject=subject, check=f"{len(content)} bytes, but the index says {said.size}")
        return read_manifest(content, None if said is None else said.media_type, subject=subject)

    def _referring(self, index: LayoutIndex) -> dict[Digest, list[Descriptor]]:
        """Return what the index lists as a referrer, by its subject."""
        entries = {entry.digest: entry.descriptor for entry in index.entries}
        if sum(each.size for each in entries.values()) > _MAX_LISTED_BYTES:
            raise LimitExceeded(
                subject=self.name, check=f"the index lists more than {_MAX_LISTED_BYTES} bytes of manifests"
            )
        by_subject: dict[Digest, list[Descriptor]] = {}
        for entry in entries.values():
            if entry.digest not in self._known:
                # What is missing, or not a valid manifest, refers to nothing.
                with suppress(DigestMismatch, NotFound, LimitExceeded):
                    self._known[entry.digest] = _Listed.of(self._manifest(entry.digest, entry))
            listed = self._known.get(entry.digest)
            if listed is not None and listed.subject is not None:
                by_subject.setdefault(listed.subject, []).append(listed.descriptor)
        return by_subject


@dataclass(frozen=True, slots=True)
class _Listed:
    """A manifest that the index lists: its subject, and its entry in a list of referrers."""

    subject: Digest | None
    descriptor: Descriptor

    @classmethod
    def of(cls, found: Manifest | Index) -> Self:
        subject = None if found.subject is None else found.subject.digest
        size = len(found.content)
        return cls(subject, Descriptor(found.media_type, found.digest, size, found.annotations, found.listed_type))


def check_version(oci_layout: BinaryIO, *, subject: str) -> None:
    """Raise FileSystemError unless this `oci-layout` file has the version that is known."""
    content = oci_layout.read(_MAX_LAYOUT_FILE_BYTES)
    try:
        document = read_json(content, subject=subject)
    except (DigestMismatch, LimitExceeded) as error:
        raise FileSystemError(subject=subject, check=f"file oci-layout: {error.check}") from error
    version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    if version != "1.0.0":
        raise FileSystemError(subject=subject, check=f"image layout of version {quoted(version)}, not 1.0.0")


def read_index(index_json: BinaryIO, *, subject: str) -> LayoutIndex:
    """Return the index in this `index.json` file. Raises DigestMismatch, LimitExceeded."""
    return LayoutIndex.read(index_json.read(MAX_MANIFEST_BYTES + 1), subject=f"index.json of {subject}")
