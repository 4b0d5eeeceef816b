"""Bytes by digest: the cache in four ports (blobs, roots, records, scratch), and the files in what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from agent_sync.ports.files import Directory
    from agent_sync.tree import Sha256
    from agent_sync_oci.digest import Digest


class BlobWriter(Protocol):
    """A blob being written; nothing is visible before `commit`, and nothing stays without it."""

    def write(self, chunk: bytes, /) -> object: ...

    def commit(self, expected: Digest | None = None) -> Digest:
        """Store the blob under the digest of its bytes. Raise DigestMismatch if that is not `expected`."""
        ...


class BlobStore(Protocol):
    """Write-once blobs by digest. Readers verify what they read: the bytes that `open` returns are unverified."""

    @property
    def name(self) -> str:
        """The absolute path of the cache, for messages."""
        ...

    def total_bytes(self) -> int:
        """Return the length of all blobs together; 0 if there is no cache yet, which this does not make."""
        ...

    def size(self, digest: Digest) -> int | None:
        """Return the length of the blob in bytes; None if it is not in the cache."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """Open the blob's bytes, unverified. Raise BytesUnavailable if it is not in the cache."""
        ...

    def wrote(self, digest: Digest) -> bool:
        """Return whether this process has stored the blob itself: then it has hashed these very bytes."""
        ...

    def writer(self) -> AbstractContextManager[BlobWriter]:
        """Begin a new blob. Raise FileSystemError if the cache cannot be written."""
        ...

    def set_aside(self, digest: Digest) -> None:
        """Move a corrupt blob out of the way, so that it is no longer in the cache."""
        ...

    def close(self) -> None:
        """Release the cache, so that others may reclaim its space; it can still be used."""
        ...


class LockRoots(Protocol):
    """The locks that need blobs: the roots for reclaiming space."""

    def remember(self, lock: bytes, *, path: str) -> None:
        """Keep the blobs of this lock, found at this absolute path, when space is reclaimed."""
        ...


class RecordStore(Protocol):
    """Small records about blobs, kept until space is reclaimed. They are unsigned: whoever reads one proves it."""

    def record(self, kind: str, key: str, content: bytes) -> None:
        """Keep a record. `key` is one or two sha256 in hexadecimal digits, with a `.` between them.

        Raises: FileSystemError if the cache cannot be written.
        """
        ...

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        """Return key and content of each record whose key begins with `prefix`, sorted by key."""
        ...


class Scratch(Protocol):
    """Room for what is not finished."""

    def __call__(self) -> AbstractContextManager[Directory]:
        """Make an empty directory that only this user can enter; remove it, with all it holds, at the end.

        Raises: FileSystemError, UnsafePath.
        """
        ...


class Contents(Protocol):
    """File digest -> bytes, out of the packed trees and loose blobs that were added. Any thread may read."""

    def __contains__(self, sha256: object) -> bool: ...

    def size(self, sha256: Sha256) -> int:
        """Return the length of the file in bytes. Raise BytesUnavailable if no blob that was added has it."""
        ...

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:
        """Yield the file's bytes. Raise BlobCorrupt, at the latest after the last chunk, if they are not `sha256`'s."""
        ...

    def peek(self, sha256: Sha256) -> Iterator[bytes]:
        """Yield the bytes after all have been verified, so that a caller who needs only the first can leave the rest.

        What this process has stored itself is not hashed again.
        """
        ...
