"""Bytes by digest: the store, and the files in what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from agent_sync.ports.files import Directory
    from agent_sync.tree import Sha256
    from agent_sync_oci.digest import Digest


class BlobWriter(Protocol):
    """A blob on its way into the store; nothing is visible before `commit`, and nothing stays without it."""

    def write(self, chunk: bytes, /) -> object: ...

    def commit(self, expected: Digest | None = None) -> Digest:
        """The blob is in the store under the digest of its bytes. DigestMismatch if that is not `expected`."""
        ...


class BlobStore(Protocol):
    """Write-once blobs by digest. Readers verify what they read: `open` gives bytes that nothing vouches for."""

    @property
    def name(self) -> str:
        """Where it lies, for messages."""
        ...

    def total_bytes(self) -> int:
        """What all blobs together take; 0 if there is no store yet, which this does not make."""
        ...

    def size(self, digest: Digest) -> int | None:
        """The length of the blob in bytes; None if it is not here."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes, unverified. BytesUnavailable if it is not here."""
        ...

    def wrote(self, digest: Digest) -> bool:
        """Whether this process has put the blob here itself: it has hashed these very bytes then."""
        ...

    def writer(self) -> AbstractContextManager[BlobWriter]:
        """A new blob. FileSystemError if the store cannot be written."""
        ...

    def set_aside(self, digest: Digest) -> None:
        """Move a corrupt blob out of the way; it is no longer here."""
        ...

    def scratch(self) -> AbstractContextManager[Directory]:
        """An empty directory that only this user can enter, removed with all it holds at the end."""
        ...

    def close(self) -> None:
        """Nothing is held any more, so that others may reclaim space; the store can still be used."""
        ...

    def remember(self, lock: bytes, *, path: str) -> None:
        """This lock, found at this absolute path, needs its blobs: a root for reclaiming space."""
        ...

    def record(self, kind: str, key: str, content: bytes) -> None:
        """A small record is kept, until space is reclaimed. `key`: one or two sha256 in hexadecimal, a `.` between.

        FileSystemError if the store cannot be written.
        """
        ...

    def records(self, kind: str, prefix: str) -> tuple[tuple[str, bytes], ...]:
        """Key and content of each record whose key begins with `prefix`, sorted; nothing vouches for them."""
        ...


class Contents(Protocol):
    """File digest -> bytes, out of the packed trees and loose blobs that were added. Safe to read from several
    threads.
    """

    def __contains__(self, sha256: object) -> bool: ...

    def size(self, sha256: Sha256) -> int:
        """The length of the file in bytes. BytesUnavailable if no blob that was added has it."""
        ...

    def chunks(self, sha256: Sha256) -> Iterator[bytes]:
        """The file's bytes. BlobCorrupt, at the latest after the last chunk, if they do not hash to `sha256`."""
        ...

    def peek(self, sha256: Sha256) -> Iterator[bytes]:
        """The same for looking only: all bytes are verified before the first ones come, so the rest can be left.

        What this process has put into the store itself is not hashed again.
        """
        ...
