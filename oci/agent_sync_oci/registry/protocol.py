"""The protocol of a registry: one repository, read and written with seven calls, whatever it is made of.

Whoever implements them: any thread may call; what is missing raises NotFound; bytes that come out have been compared
with the digest they were asked for by; a failed call leaves what was there before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch
from agent_sync_oci.manifest import Descriptor, Index, Manifest

# -- The seven calls with which every place is read and written: one repository, whatever it is made of. Whoever
# implements them: any thread may call; what is not there is NotFound; bytes that come out have been compared with the
# digest they were asked for by; a failed call leaves what was there before it.

MAX_REFERRERS = 1000
"""How many referrers of one subject are looked at; whoever may push to a repository can attach any number."""

Write = Callable[[bytes], object]
OpenBody = Callable[[], BinaryIO]


class Registry(Protocol):
    """One repository of a registry, one layout directory or one archive; a context manager that closes it."""

    @property
    def name(self) -> str:
        """As a reference spells it, without tag and digest."""

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        """The manifest with this digest, which its bytes hash to, or the one at this tag. Raises NotFound."""

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        """The manifest is here, and the tag names it. Blobs and children are to be here before it.

        Returns whether this place lists it as a referrer of its subject by itself; true if it has no subject.
        """

    def blob_size(self, digest: Digest) -> int | None:
        """How many bytes the blob has, as the place says; None if it is not here."""

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        """`write` got exactly `blob.size` bytes that hash to `blob.digest`.

        What came before an error has been written, never more than `blob.size`. Raises NotFound, DigestMismatch.
        """

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        """The blob is here; nothing is sent if it was. The body may be opened again for another attempt.

        `mount_from` names a repository of the same registry that may have it. Raises DigestMismatch if the body is not
        what `blob` says; then it is not here.
        """

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """The manifests whose subject this is, as far as the place knows by itself; with artifact types if it knows.

        In the place's own order. Raises LimitExceeded for more than MAX_REFERRERS.
        """

    def tags(self) -> tuple[str, ...]:
        """Every tag, sorted."""

    def close(self) -> None:
        """Nothing is held. An archive appears only now, and does not if a `with` block ends in an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


# -- Bytes on their way, held against the descriptor that promised them.

_CHUNK_BYTES = 1 << 18  # larger ones fall out of the processor's cache between being read and being hashed


def copy_verified(chunks: Iterable[bytes], blob: Descriptor, write: Write, *, place: str) -> None:
    """`write` got exactly the bytes that `blob` describes; one byte too many is noticed before it is written.

    Raises DigestMismatch, which says that `place` gave others.
    """
    for chunk in verified(chunks, blob, place=place):
        write(chunk)


def verified(chunks: Iterable[bytes], blob: Descriptor, *, place: str) -> Iterator[bytes]:
    """Yield the chunks, the last byte only if they are what `blob` describes. Raises DigestMismatch."""
    hashing = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > blob.size:
            raise _mismatch(blob, place, f"it has more than the {blob.size} bytes that its descriptor says")
        hashing.update(chunk)
        if size == blob.size:
            _check_sha256(hashing.hexdigest(), blob, place)
        yield chunk
    if size < blob.size:
        raise _mismatch(blob, place, f"it ends after {size} of {blob.size} bytes")
    _check_sha256(hashing.hexdigest(), blob, place)  # for the blob without any chunk


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """What is left in `file`, piece by piece."""
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _check_sha256(sha256: str, blob: Descriptor, place: str) -> None:
    if sha256 != blob.digest.hex:
        raise _mismatch(blob, place, f"its bytes have the sha256 {sha256}")


def _mismatch(blob: Descriptor, place: str, check: str) -> DigestMismatch:
    return DigestMismatch(
        subject=f"blob {blob.digest} in {place}",
        check=check,
        remedy="fetch it from another place, or have it pushed again by somebody who has it",
    )
