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

MAX_REFERRERS = 1000
"""How many referrers of one subject are looked at; whoever may push to a repository can attach any number."""

Write = Callable[[bytes], object]
OpenBody = Callable[[], BinaryIO]


class Registry(Protocol):
    """One repository of a registry, one layout directory or one archive; a context manager that closes it."""

    @property
    def name(self) -> str:
        """The reference without tag and digest."""

    def manifest(self, wanted: Digest | str) -> Manifest | Index:
        """Return the manifest with this digest, which its bytes hash to, or the one at this tag. Raises NotFound."""

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        """Store the manifest, whose blobs and children must be here before it, and let the tag name it.

        Returns whether the registry lists it as a referrer of its subject by itself; true if it has no subject.
        """

    def blob_size(self, digest: Digest) -> int | None:
        """Return the size of the blob in bytes, as the registry says; None if the blob is not here."""

    def get_blob(self, blob: Descriptor, write: Write) -> None:
        """Write exactly `blob.size` bytes that hash to `blob.digest`.

        What came before an error has been written, never more than `blob.size`. Raises NotFound, DigestMismatch.
        """

    def put_blob(self, blob: Descriptor, open_body: OpenBody, *, mount_from: str | None = None) -> None:
        """Store the blob; send nothing if it is here. The body may be opened again for another attempt.

        `mount_from` names a repository of the same registry that may have the blob. Raises DigestMismatch if the body
        is not what `blob` says; nothing is stored then.
        """

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject this is, as far as the registry lists them by itself, in its own order.

        Artifact types are there if the registry knows them. Raises LimitExceeded for more than MAX_REFERRERS.
        """

    def tags(self) -> tuple[str, ...]:
        """Return every tag, sorted."""

    def close(self) -> None:
        """Release everything. An archive appears only now, and does not if a `with` block ends in an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


# -- verification ----------------------------------------------------------------------------------------------------

_CHUNK_BYTES = 1 << 18  # larger ones fall out of the processor's cache between being read and being hashed


def copy_verified(chunks: Iterable[bytes], blob: Descriptor, write: Write, *, label: str) -> None:
    """Write exactly the bytes that `blob` describes; one byte too many is noticed before it is written.

    Raises DigestMismatch, which names `label` as where the bytes come from.
    """
    for chunk in verified(chunks, blob, label=label):
        write(chunk)


def verified(chunks: Iterable[bytes], blob: Descriptor, *, label: str) -> Iterator[bytes]:
    """Yield the chunks, the last byte only if they are what `blob` describes. Raises DigestMismatch."""
    hashing = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > blob.size:
            raise _mismatch(blob, label, f"more than the {blob.size} bytes that the descriptor says")
        hashing.update(chunk)
        if size == blob.size:
            _check_sha256(hashing.hexdigest(), blob, label)
        yield chunk
    if size < blob.size:
        raise _mismatch(blob, label, f"ends after {size} of {blob.size} bytes")
    _check_sha256(hashing.hexdigest(), blob, label)  # for the blob without any chunk


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left in `file`, piece by piece."""
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _check_sha256(sha256: str, blob: Descriptor, label: str) -> None:
    if sha256 != blob.digest.hex:
        raise _mismatch(blob, label, f"the content has the digest sha256:{sha256}")


def _mismatch(blob: Descriptor, label: str, check: str) -> DigestMismatch:
    return DigestMismatch(subject=f"blob {blob.digest} in {label}", check=check)


def never_cancelled() -> None:
    """Do not cancel: the default of every `check`."""
